/* Prebuilt answers: read from files, with the time of writing put into a part as it is sent. */

enum { DIGITS = 18 };
struct part { uint32_t length, kind, offset; uint8_t *data; };
struct answer { struct part *parts; int count; uint8_t *whole; size_t size; };
enum { MESSAGES, CHAT, BEDROCK, DIALECTS };
static const char *NAMES[DIALECTS] = {"messages", "chat", "bedrock"};
static struct answer answers[DIALECTS][2];

static uint32_t crc_table[8][256];

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
        for (int k = 1; k < 8; k++) {
            uint32_t before = crc_table[k - 1][n];
            crc_table[k][n] = crc_table[0][before & 255] ^ (before >> 8);
        }
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

static void read_answer(const char *folder, const char *name, const char *suffix, struct answer *answer) {
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
