// SPDX-License-Identifier: GPL-3.0-or-later
/* sender ADDRESS RATE PACKETS SIZE: sends UDP packets of SIZE bytes to the discard port, RATE a second, and prints
 * how many were sent and in how many microseconds. Behind its time it sends in bursts, but never more than BATCH at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define LARGEST 1472

static long long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int argc, char **argv) {
    static char payload[LARGEST];
    static struct mmsghdr batch[BATCH];
    if (argc != 5) {
        fputs("usage: sender ADDRESS RATE PACKETS SIZE\n", stderr);
        return 2;
    }
    long long rate = atoll(argv[2]), packets = atoll(argv[3]), size = atoll(argv[4]), sent = 0;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || rate < 1 || size < 0 || size > LARGEST) {
        fputs("sender: what it was told makes no sense\n", stderr);
        return 2;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    struct iovec data = {.iov_base = payload, .iov_len = size};
    for (int i = 0; i < BATCH; i++) {
        batch[i].msg_hdr.msg_name = &to; // not connected: refusals of the far side are not ours to read
        batch[i].msg_hdr.msg_namelen = sizeof to;
        batch[i].msg_hdr.msg_iov = &data;
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    long long start = now_us();
    while (sent < packets) {
        long long due = (now_us() - start) * rate / 1000000 - sent;
        if (due > packets - sent) due = packets - sent;
        if (due <= 0) {
            struct timespec pause = {.tv_nsec = 100000};
            nanosleep(&pause, NULL);
            continue;
        }
        int done = sendmmsg(fd, batch, due < BATCH ? due : BATCH, 0);
        if (done < 0) fail("sendmmsg");
        sent += done;
    }
    printf("%lld %lld\n", sent, now_us() - start);
    return 0;
}
