/* One client of the upstream, and how its requests are read. */

enum { HEAD = 65536 };
static int stream; /* whether answers are streamed from now on */

struct client {
    int fd, chunked, next, queued;
    size_t have, left;           /* bytes of the head so far; bytes of the body to come */
    uint8_t tail[5];             /* the last bytes of a chunked body */
    struct answer *answer;       /* what is being sent */
    uint8_t *out; size_t out_left, out_room; uint8_t *out_base;
    uint64_t due;
    int throttled, missing;
    char head[HEAD];
};

/* The head is complete: what is asked for, and how long the body is. */
static void read_head(struct client *client) {
    char *line = memchr(client->head, '\r', client->have);
    *line = 0;
    int chat = strstr(client->head, "/chat/completions") != NULL;
    int dialect = strstr(client->head, "/invoke") ? BEDROCK : chat ? CHAT : MESSAGES;
    client->missing = strncmp(client->head, "POST ", 5) != 0;
    client->throttled = strstr(client->head, "/throttled") != NULL;
    int streams = dialect == BEDROCK ? strstr(client->head, "-stream") != NULL : stream;
    client->answer = &answers[dialect][streams];
    char *field = strcasestr(line + 1, "\ncontent-length:");
    client->left = field ? strtoul(field + 16, NULL, 10) : 0;
    client->chunked = strcasestr(line + 1, "\ntransfer-encoding:") != NULL;
    memset(client->tail, 0, sizeof client->tail);
}

/* Takes bytes of the body; true when it is whole. In JSON a raw CRLF cannot stand: the last chunk gives itself away. */
static int take_body(struct client *client, const char *data, size_t length) {
    if (client->chunked) {
        if (length >= 5) memcpy(client->tail, data + length - 5, 5);
        else {
            memmove(client->tail, client->tail + length, 5 - length);
            memcpy(client->tail + 5 - length, data, length);
        }
        return memcmp(client->tail, "0\r\n\r\n", 5) == 0;
    }
    client->left -= length < client->left ? length : client->left;
    return client->left == 0;
}
