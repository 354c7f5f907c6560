/* One answer as it comes in: HTTP, then the events or the JSON in it, held against what is expected. */

enum state { HEAD, LENGTH, SIZE, DATA, AFTER, TRAILER, REST, DONE };
struct connection {
    char *request;        /* its own copy */
    int fd, busy, again;
    size_t sent;
    enum state state;
    size_t left, have, room, position; /* of the body; of the buffer; in the expected text */
    char *buffer;
    int starts, ends, stops, wrong;
    uint64_t began, first, stamp;
};
struct list { uint64_t *data; size_t count, room; };

static char *expected;
static size_t expected_size;
static int streamed;
static long answered, faults, running;
static uint64_t moment; /* when the bytes that are being taken came */
static struct list totals, firsts, delays;

static void push(struct list *list, uint64_t value) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 4096;
        list->data = realloc(list->data, list->room * sizeof value);
    }
    list->data[list->count++] = value;
}

static void fault(struct connection *c, const char *what) {
    if (!c->wrong && !faults)
        fprintf(stderr, "%s at character %zu of %zu: %.*s\n", what, c->position, expected_size,
                (int)(c->have < 600 ? c->have : 600), c->buffer);
    c->wrong = 1;
}

/* Compares text with what is expected, and takes the times out of it. */
static void match(struct connection *c, const char *text, size_t length) {
    if (!c->first && length) c->first = moment;
    for (size_t k = 0; k < length; k++) {
        if (c->position == expected_size) { fault(c, "more text than expected"); return; }
        char want = expected[c->position++], got = text[k];
        if (want != '#') { if (got != want) { fault(c, "another text"); return; } continue; }
        if (got < '0' || got > '9') { fault(c, "no time"); return; }
        c->stamp = 10 * c->stamp + (uint64_t)(got - '0');
        if (expected[c->position] == '#') continue;
        if (c->stamp) push(&delays, moment - c->stamp);
        c->stamp = 0;
    }
}

/* The string after the first "text": in some JSON. Texts have no escapes. */
static void match_text(struct connection *c, const char *json, size_t length) {
    const char *end = json + length, *at = memmem(json, length, "\"text\":", 7);
    if (!at) { fault(c, "no text"); return; }
    at += 7;
    if (at < end && *at == ' ') at++;
    const char *close = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1)) : NULL;
    if (!close) { fault(c, "no text"); return; }
    match(c, at + 1, (size_t)(close - at - 1));
}

static int has(const char *data, size_t length, const char *what) {
    return memmem(data, length, what, strlen(what)) != NULL;
}

static void take_line(struct connection *c, const char *line, size_t length) {
    if (length < 5 || memcmp(line, "data:", 5)) return;
    if (has(line, length, "\"text_delta\"")) match_text(c, line, length);
    else if (has(line, length, "\"message_start\"")) c->starts++;
    else if (has(line, length, "\"message_delta\"")) c->ends += has(line, length, "\"end_turn\"");
    else if (has(line, length, "\"message_stop\"")) c->stops++;
    else if (has(line, length, "\"error\"")) fault(c, "an error event");
}

static void keep(struct connection *c, const char *data, size_t length) {
    if (c->have + length + 1 > c->room) {
        c->room = 2 * (c->have + length + 1);
        c->buffer = realloc(c->buffer, c->room);
    }
    memcpy(c->buffer + c->have, data, length);
    c->have += length;
    c->buffer[c->have] = 0;
}

static void take_body(struct connection *c, const char *data, size_t length) {
    keep(c, data, length);
    if (!streamed) return;
    char *line = c->buffer, *end = c->buffer + c->have, *stop;
    while ((stop = memchr(line, '\n', (size_t)(end - line)))) {
        take_line(c, line, (size_t)(stop - line));
        line = stop + 1;
    }
    c->have = (size_t)(end - line);
    memmove(c->buffer, line, c->have);
}

static void finish(struct connection *c) {
    if (!streamed) {
        match_text(c, c->buffer, c->have);
        if (!has(c->buffer, c->have, "\"end_turn\"")) fault(c, "no end_turn");
    } else if (c->starts != 1 || c->ends != 1 || c->stops != 1) fault(c, "not one start, one end_turn and one stop");
    if (c->position != expected_size) fault(c, "less text than expected");
    push(&totals, moment - c->began);
    push(&firsts, (c->first ? c->first : moment) - c->began);
    faults += c->wrong;
    answered++;
    running--;
    c->busy = 0;
}

static void read_head(struct connection *c, char *end) {
    *end = 0;
    if (strncmp(c->buffer + 8, " 200", 4)) { fault(c, "not status 200"); }
    char *length = strcasestr(c->buffer, "\ncontent-length:");
    int chunked = strcasestr(c->buffer, "\ntransfer-encoding: chunked") != NULL;
    c->state = chunked ? SIZE : length ? LENGTH : REST;
    c->left = length ? strtoul(length + 16, NULL, 10) : 0;
    if (c->state == LENGTH && !c->left) c->state = DONE;
}

/* Takes bytes of the answer, whatever frames them. */
static void take(struct connection *c, const char *data, size_t length) {
    while (length && c->state != DONE) {
        size_t used = length;
        switch (c->state) {
        case HEAD: {
            size_t before = c->have;
            keep(c, data, length);
            char *end = memmem(c->buffer, c->have, "\r\n\r\n", 4);
            if (!end) break;
            used = (size_t)(end + 4 - c->buffer) - before;
            read_head(c, end + 2);
            c->have = c->wrong ? c->have : 0;
            if (c->wrong) c->state = DONE;
            break;
        }
        case LENGTH: case DATA:
            used = length < c->left ? length : c->left;
            take_body(c, data, used);
            c->left -= used;
            if (!c->left) c->state = c->state == LENGTH ? DONE : AFTER;
            break;
        case AFTER: /* the CRLF of a chunk */
            used = 1;
            if (*data == '\n') c->state = SIZE;
            break;
        case SIZE:
            used = 1;
            if (*data == '\n') c->state = c->left ? DATA : TRAILER;
            else if (*data != '\r') {
                int digit = *data <= '9' ? *data - '0' : (*data | 32) - 'a' + 10;
                c->left = 16 * c->left + (size_t)digit;
            }
            break;
        case TRAILER: /* no server here sends any: the CRLF that ends the body */
            used = 1;
            if (*data == '\n') c->state = DONE;
            break;
        case REST: take_body(c, data, length); break;
        case DONE: break;
        }
        data += used; length -= used;
    }
}
