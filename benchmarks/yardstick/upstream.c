/* The upstream of the yardstick: an HTTP/1.1 server with prebuilt answers, on one thread.
 *
 *     upstream FOLDER        prints its port, then obeys the lines of its standard input until that ends
 *
 * FOLDER holds an answer for each dialect as NAME.json and NAME.stream: parts of `u32 length, u32 kind, u32 offset`
 * (host byte order) and `length` bytes. The kind says how the time of writing gets into a paced part: 0 not at all,
 * 1 as 18 decimal digits (nanoseconds of the monotonic clock) at the offset, 2 as 24 characters of base64 of them, with
 * the checksum at the end of the chunk's event-stream frame made anew.
 *
 * Lines: `json`, `burst`, `paced NANOSECONDS` say how to answer from now on; `counts` asks for the connections
 * accepted, the requests answered and those refused since the last `counts`. Each line is answered by one.
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

#include "answer.h"
#include "client.h"

enum { MOST = 8192 };
static struct client *queue[MOST];
static unsigned first, last; /* of the ring: with one pace for all, who was sent to first is due first */
static int poller, timer;
static uint64_t pace;
static unsigned long connections, requests, refused;
static uint8_t scratch[1 << 18];

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
        read_answer(arguments[1], NAMES[k], "json", &answers[k][0]);
        read_answer(arguments[1], NAMES[k], "stream", &answers[k][1]);
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
