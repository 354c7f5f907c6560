/* The upstream of the yardstick: an HTTP/1.1 server with prebuilt answers, on one thread.
 *
 *     upstream FOLDER        prints its port, then obeys the lines of its standard input until that ends
 *
 * FOLDER holds an answer for each dialect as NAME.json and NAME.stream: parts of `u32 length, u32 kind, u32 offset`
 * (host byte order) and `length` bytes. The kind says how the time of writing gets into a paced part: 0 not at all,
 * 1 as 18 decimal digits (nanoseconds of the monotonic clock) at the offset, 2 as 24 characters of base64 of them, with
 * the checksum at the end of the chunk's event-stream frame made anew.
 *
 * Lines: `json`, `burst`, `paced NANOSECONDS` say how to answer from now on; `counts` asks for the connections accepted,
 * the requests answered and those refused since the last `counts`. Each line is answered by one.
 * A path with /throttled in it is refused with 429.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 18, HEAD = 65536, MOST = 8192 };
struct part { uint32_t length, kind, offset; uint8_t *data; };
struct answer { struct part *parts; int count; uint8_t *whole; size_t size; };
enum { MESSAGES, CHAT, BEDROCK, DIALECTS };
static const char *NAMES[DIALECTS] = {"messages", "chat", "bedrock"};
static struct answer answers[DIALECTS][2];

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

static struct client *queue[MOST];
static unsigned first, last;     /* a ring: all paced streams have the same pace, so the order of sending is the order of being due */
static int poller, timer, stream;
static uint64_t pace;
static unsigned long connections, requests, refused;
static uint32_t crc_table[8][256];
static uint8_t scratch[1 << 18];

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void crc_prepare(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        crc_table[0][n] = c;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int k = 1; k < 8; k++) crc_table[k][n] = crc_table[0][crc_table[k - 1][n] & 255] ^ (crc_table[k - 1][n] >> 8);
}

static uint32_t crc(const uint8_t *data, size_t length) {
    uint32_t c = 0xFFFFFFFFu;
    for (; length >= 8; data += 8, length -= 8) {
        uint32_t a, b;
        memcpy(&a, data, 4); memcpy(&b, data + 4, 4);
        a ^= c;
        c = crc_table[7][a & 255] ^ crc_table[6][a >> 8 & 255] ^ crc_table[5][a >> 16 & 255] ^ crc_table[4][a >> 24]
            ^ crc_table[3][b & 255] ^ crc_table[2][b >> 8 & 255] ^ crc_table[1][b >> 16 & 255] ^ crc_table[0][b >> 24];
    }
    while (length--) c = crc_table[0][(c ^ *data++) & 255] ^ (c >> 8);
    return ~c;
}

static void stamp(struct part *part, uint8_t *copy) {
    static const char BASE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t digits[DIGITS];
    uint64_t moment = now();
    for (int k = DIGITS; k--; moment /= 10) digits[k] = (uint8_t)('0' + moment % 10);
    uint8_t *to = copy + part->offset;
    if (part->kind == 1) { memcpy(to, digits, DIGITS); return; }
    for (int k = 0; k < DIGITS; k += 3, to += 4) {
        uint32_t three = (uint32_t)digits[k] << 16 | (uint32_t)digits[k + 1] << 8 | digits[k + 2];
        for (int j = 0; j < 4; j++) to[j] = (uint8_t)BASE[three >> (18 - 6 * j) & 63];
    }
    /* chunk-size CRLF, then the frame that holds the stamp: others may go before it and after it */
    uint8_t *frame = (uint8_t *)memchr(copy, '\n', part->length) + 1;
    if (memcmp(copy, "HTTP", 4) == 0) {
        uint8_t *body = memmem(copy, part->length, "\r\n\r\n", 4);
        frame = (uint8_t *)memchr(body + 4, '\n', part->length - (size_t)(body + 4 - copy)) + 1;
    }
    for (;;) {
        uint32_t length;
        memcpy(&length, frame, 4);
        length = ntohl(length);
        if (frame + length > copy + part->offset) {
            uint32_t sum = htonl(crc(frame, length - 4));
            memcpy(frame + length - 4, &sum, 4);
            return;
        }
        frame += length;
    }
}

static void load(const char *folder, const char *name, const char *suffix, struct answer *answer) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    uint32_t head[3];
    while (fread(head, sizeof head, 1, file) == 1) {
        answer->parts = realloc(answer->parts, sizeof(struct part) * (size_t)(answer->count + 1));
        struct part *part = &answer->parts[answer->count++];
        *part = (struct part){head[0], head[1], head[2], malloc(head[0])};
        if (fread(part->data, 1, part->length, file) != part->length) exit(1);
        answer->whole = realloc(answer->whole, answer->size + part->length);
        memcpy(answer->whole + answer->size, part->data, part->length);
        answer->size += part->length;
    }
    fclose(file);
}

static void watch(struct client *client, int writes) {
    struct epoll_event event = {.events = writes ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
}

static void drop(struct client *client) {
    close(client->fd);
    client->fd = -1;
    if (!client->queued) { free(client->out_base); free(client); }
}

/* Sends what can be sent now and keeps the rest. False when the client has gone. */
static int send_out(struct client *client, const uint8_t *data, size_t length) {
    if (!client->out_left) {
        ssize_t sent = send(client->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent < 0) sent = 0;
        data += sent; length -= (size_t)sent;
        if (!length) return 1;
    }
    size_t used = client->out_left;
    memmove(client->out_base, client->out, used);
    if (used + length > client->out_room) {
        client->out_room = 2 * (used + length);
        client->out_base = realloc(client->out_base, client->out_room);
    }
    memcpy(client->out_base + used, data, length);
    client->out = client->out_base;
    client->out_left = used + length;
    watch(client, 1);
    return 1;
}

static int send_part(struct client *client) {
    struct part *part = &client->answer->parts[client->next++];
    if (!part->kind) return send_out(client, part->data, part->length);
    memcpy(scratch, part->data, part->length);
    stamp(part, scratch);
    return send_out(client, scratch, part->length);
}

static int answer(struct client *client) {
    static const char THROTTLED[] =
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: 82\r\n\r\n"
        "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Too many requests\"}}";
    static const char MISSING[] = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    if (client->missing) return send_out(client, (const uint8_t *)MISSING, sizeof MISSING - 1);
    if (client->throttled) { refused++; return send_out(client, (const uint8_t *)THROTTLED, sizeof THROTTLED - 1); }
    requests++;
    if (!pace || client->answer->count == 1) return send_out(client, client->answer->whole, client->answer->size);
    client->next = 0;
    client->due = now() + pace;
    if (!send_part(client)) return 0;
    queue[last++ % MOST] = client;
    client->queued = 1;
    return 1;
}

/* The head is complete: what is asked for, and how long the body is. */
static void read_head(struct client *client) {
    char *line = memchr(client->head, '\r', client->have);
    *line = 0;
    int dialect = strstr(client->head, "/invoke") ? BEDROCK : strstr(client->head, "/chat/completions") ? CHAT : MESSAGES;
    client->missing = strncmp(client->head, "POST ", 5) != 0;
    client->throttled = strstr(client->head, "/throttled") != NULL;
    int streams = dialect == BEDROCK ? strstr(client->head, "-stream") != NULL : stream;
    client->answer = &answers[dialect][streams];
    char *field = strcasestr(line + 1, "\ncontent-length:");
    client->left = field ? strtoul(field + 16, NULL, 10) : 0;
    client->chunked = strcasestr(line + 1, "\ntransfer-encoding:") != NULL;
    memset(client->tail, 0, sizeof client->tail);
}

/* Takes bytes of the body; true when it is whole. In JSON a raw CRLF cannot stand, so the last chunk gives itself away. */
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

static int readable(struct client *client) {
    static char body[1 << 18];
    for (;;) {
        int in_body = client->have == HEAD;
        char *to = in_body ? body : client->head + client->have;
        size_t room = in_body ? sizeof body : HEAD - 1 - client->have;
        ssize_t got = recv(client->fd, to, room, 0);
        if (got < 0) return errno == EAGAIN;
        if (!got) return 0;
        int whole;
        if (in_body) whole = take_body(client, body, (size_t)got);
        else {
            client->have += (size_t)got;
            client->head[client->have] = 0;
            char *end = memmem(client->head, client->have, "\r\n\r\n", 4);
            if (!end) { if (client->have == HEAD - 1) return 0; continue; }
            size_t rest = client->have - (size_t)(end + 4 - client->head);
            end[2] = 0;
            read_head(client);
            whole = client->chunked || client->left ? take_body(client, end + 4, rest) : 1;
            client->have = HEAD;
        }
        if (!whole) continue;
        client->have = 0;
        if (!answer(client)) return 0;
        if ((size_t)got < room) return 1;
    }
}

static int writable(struct client *client) {
    ssize_t sent = send(client->fd, client->out, client->out_left, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    client->out += sent;
    client->out_left -= (size_t)sent;
    if (!client->out_left) watch(client, 0);
    return 1;
}

static void accept_all(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) return;
        if (fd >= MOST) { close(fd); return; }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct client *client = calloc(1, sizeof *client);
        client->fd = fd;
        connections++;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static int obey(void) {
    char line[256];
    ssize_t got = read(0, line, sizeof line - 1);
    if (got <= 0) return 0;
    line[got] = 0;
    if (!strncmp(line, "counts", 6)) {
        printf("%lu %lu %lu\n", connections, requests, refused);
        connections = requests = refused = 0;
    } else {
        stream = strncmp(line, "json", 4) != 0;
        pace = strncmp(line, "paced", 5) ? 0 : strtoull(line + 5, NULL, 10);
        puts("ok");
    }
    fflush(stdout);
    return 1;
}

/* Sends the parts that are due and sets the alarm for the next. */
static void send_due(void) {
    uint64_t moment = now();
    while (first != last && queue[first % MOST]->due <= moment) {
        struct client *client = queue[first++ % MOST];
        client->queued = 0;
        if (client->fd < 0) { free(client->out_base); free(client); continue; }
        if (!send_part(client)) { drop(client); continue; }
        client->due += pace ? pace : 1;
        if (client->next < client->answer->count) { client->queued = 1; queue[last++ % MOST] = client; }
    }
    struct itimerspec alarm = {0};
    if (first != last) {
        uint64_t due = queue[first % MOST]->due;
        alarm.it_value.tv_sec = (time_t)(due / 1000000000u);
        alarm.it_value.tv_nsec = (long)(due % 1000000000u);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
}

static void add(int fd, void *mark) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    crc_prepare();
    for (int k = 0; k < DIALECTS; k++) {
        load(arguments[1], NAMES[k], "json", &answers[k][0]);
        load(arguments[1], NAMES[k], "stream", &answers[k][1]);
    }
    struct rlimit limit = {MOST, MOST};
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) { perror("listen"); return 1; }
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    add(listener, &poller); add(0, &stream); add(timer, &timer);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, -1);
        for (int k = 0; k < ready; k++) {
            void *mark = events[k].data.ptr;
            uint64_t ticks;
            if (mark == &poller) accept_all(listener);
            else if (mark == &stream) { if (!obey()) return 0; }
            else if (mark == &timer) { if (read(timer, &ticks, sizeof ticks) < 0) continue; }
            else {
                struct client *client = mark;
                int alive = 1;
                if (events[k].events & EPOLLOUT) alive = writable(client);
                if (alive && events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = readable(client);
                if (!alive) drop(client);
            }
        }
        send_due();
    }
}
