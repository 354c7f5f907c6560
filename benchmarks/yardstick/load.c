/* The load generator of the yardstick: K connections, each with one request at a time, on one thread.
 *
 *     load PORT CONNECTIONS REQUEST EXPECTED SAMPLES STREAM SECONDS LEAST MOST
 *
 * REQUEST is a file with a whole HTTP request; where it says TURN, each request says its own number, so that no two are
 * alike. EXPECTED is one with the text that each answer must have, in which '#' stands for a digit of a time of
 * writing. STREAM is 1 when a stream is expected. It asks for SECONDS and at least LEAST times, at most MOST times. Into
 * SAMPLES go, as u64: the numbers of answers, of events with a time, of wrong answers; the nanoseconds from first request
 * to last answer; of each answer its nanoseconds to the end, and to the first text; of each event with a time its delay
 * in nanoseconds. The first fault is told on standard error.
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

#include "judge.h"

#define TURN "@@turn@@"
static char *request, *turn;
static size_t request_size;
static int port, poller;
static long least, most, asked;
static uint64_t until;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
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

static void open_connection(struct connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) { perror("connect"); exit(2); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

static void push_request(struct connection *c) {
    ssize_t got = send(c->fd, c->request + c->sent, request_size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (got > 0) c->sent += (size_t)got;
    struct epoll_event event = {.events = EPOLLIN | (c->sent < request_size ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void number(struct connection *c) {
    char digits[sizeof TURN];
    if (!turn) return;
    snprintf(digits, sizeof digits, "%0*ld", (int)sizeof TURN - 1, asked);
    memcpy(c->request + (turn - request), digits, sizeof TURN - 1);
}

static void ask(struct connection *c) {
    moment = now();
    if (asked >= most || (asked >= least && moment >= until)) return;
    asked++;
    number(c);
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
    turn = memmem(request, request_size, TURN, sizeof TURN - 1);
    expected = slurp(a[4], &expected_size);
    streamed = atoi(a[6]);
    least = atol(a[8]);
    most = atol(a[9]);
    struct rlimit limit = {8192, 8192};
    setrlimit(RLIMIT_NOFILE, &limit);
    poller = epoll_create1(0);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    for (int k = 0; k < connections; k++) {
        all[k].request = malloc(request_size);
        memcpy(all[k].request, request, request_size);
        open_connection(&all[k]);
    }
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
