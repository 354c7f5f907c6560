/* The load generator of the yardstick: K connections, each with one request at a time, on one thread.
 *
 *     load PORT CONNECTIONS REQUEST EXPECTED SAMPLES STREAM SECONDS LEAST MOST
 *
 * REQUEST is a file with a whole HTTP request, EXPECTED one with the text that each answer must have, in which '#' stands
 * for a digit of a time of writing. STREAM is 1 when a stream is expected. It asks for SECONDS and at least LEAST times,
 * at most MOST times. Into SAMPLES go, as u64: the numbers of answers, of events with a time, of wrong answers; the
 * nanoseconds from first request to last answer; of each answer its nanoseconds to the end, and to the first text; of
 * each event with a time its delay in nanoseconds. The first fault is told on standard error.
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
#include <time.h>
#include <unistd.h>

enum state { HEAD, LENGTH, SIZE, DATA, AFTER, TRAILER, REST, DONE };
struct connection {
    int fd, busy, again;
    size_t sent;
    enum state state;
    size_t left, have, room, position; /* of the body; of the buffer; in the expected text */
    char *buffer;
    int starts, ends, stops, wrong;
    uint64_t began, first, stamp;
};
struct list { uint64_t *data; size_t count, room; };

static char *request, *expected;
static size_t request_size, expected_size;
static int port, poller, streamed;
static long least, most, asked, answered, faults, running;
static uint64_t until, moment;
static struct list totals, firsts, delays;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void push(struct list *list, uint64_t value) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 4096;
        list->data = realloc(list->data, list->room * sizeof value);
    }
    list->data[list->count++] = value;
}

static char *slurp(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(2); }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    if (fread(data, 1, *size, file) != *size) exit(2);
    data[*size] = 0;
    fclose(file);
    return data;
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

static int has(const char *data, size_t length, const char *what) { return memmem(data, length, what, strlen(what)) != NULL; }

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

static void open_connection(struct connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) { perror("connect"); exit(2); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void push_request(struct connection *c) {
    ssize_t got = send(c->fd, request + c->sent, request_size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (got > 0) c->sent += (size_t)got;
    struct epoll_event event = {.events = EPOLLIN | (c->sent < request_size ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void ask(struct connection *c) {
    moment = now();
    if (asked >= most || (asked >= least && moment >= until)) return;
    asked++;
    running++;
    c->state = HEAD;
    c->sent = c->have = c->left = c->position = 0;
    c->starts = c->ends = c->stops = c->wrong = 0;
    c->first = c->stamp = 0;
    c->busy = 1;
    c->again = 0;
    c->began = moment;
    push_request(c);
}

static void closed(struct connection *c) {
    close(c->fd);
    open_connection(c);
    if (!c->busy) return;
    if (c->state == REST) { finish(c); ask(c); return; }
    if (c->state == HEAD && !c->have && !c->again) { /* it was closed while idle */
        c->again = 1;
        c->sent = 0;
        push_request(c);
        return;
    }
    fault(c, "closed before the end");
    finish(c);
    ask(c);
}

static void readable(struct connection *c) {
    static char data[1 << 18];
    ssize_t got = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    moment = now();
    if (got <= 0) { closed(c); return; }
    if (!c->busy) return;
    take(c, data, (size_t)got);
    if (c->state != DONE) return;
    int wrong = c->wrong;
    finish(c);
    if (wrong) { close(c->fd); open_connection(c); }
    ask(c);
}

static void write_samples(const char *path, uint64_t took) {
    uint64_t head[] = {totals.count, delays.count, (uint64_t)faults, took};
    FILE *file = fopen(path, "wb");
    fwrite(head, sizeof head, 1, file);
    fwrite(totals.data, sizeof(uint64_t), totals.count, file);
    fwrite(firsts.data, sizeof(uint64_t), firsts.count, file);
    fwrite(delays.data, sizeof(uint64_t), delays.count, file);
    fclose(file);
}

int main(int count, char **a) {
    if (count != 10) return 2;
    port = atoi(a[1]);
    int connections = atoi(a[2]);
    request = slurp(a[3], &request_size);
    expected = slurp(a[4], &expected_size);
    streamed = atoi(a[6]);
    least = atol(a[8]);
    most = atol(a[9]);
    struct rlimit limit = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &limit);
    poller = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    for (int k = 0; k < connections; k++) open_connection(&all[k]);
    uint64_t began = now();
    until = began + (uint64_t)(atof(a[7]) * 1e9);
    for (int k = 0; k < connections; k++) ask(&all[k]);
    while (running) {
        struct epoll_event events[256];
        int ready = epoll_wait(poller, events, 256, 60000);
        if (ready == 0) { fprintf(stderr, "nothing came for a minute\n"); return 3; }
        for (int k = 0; k < ready; k++) {
            struct connection *c = events[k].data.ptr;
            if (events[k].events & EPOLLOUT && c->busy && c->sent < request_size) push_request(c);
            if (events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
        if (faults > 10) break;
    }
    write_samples(a[5], moment - began);
    return 0;
}
