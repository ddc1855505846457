// SPDX-License-Identifier: GPL-3.0-or-later
//
// The floor: makes a lab with as few system calls as the kernel asks for, and checks nothing.
// Network namespaces by unshare(2), veth pairs made with both ends in place, then for each namespace
// one datagram of rtnetlink(7) messages and one write for forwarding. Reads a lab from its input:
//
//   n COUNT             namespaces 0 to COUNT - 1
//   f NODE              forwarding on
//   b NODE IF           a bridge, with number IF in its namespace (2 is the first)
//   v NODE IF NODE IF   a veth pair; interface number IF is called ethIF
//   m NODE IF BRIDGE    an interface as port of a bridge
//   a NODE IF A.B.C.D/L an address
//   r NODE A.B.C.D      a default route
//   i NODE IF MS        netem with a delay of so many milliseconds, and packets of one segment
//
// Prints microseconds: making it; then, when a line comes in, letting it go until it is truly gone.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { GROUP = 77, MAX_NODES = 20000, MAX_LINES = 200000, MAX_INTERFACES = 20000, BUFFER = 1 << 20 };

static char buffer[BUFFER];
static size_t length;
static unsigned count; // messages in the buffer

struct line { char kind; unsigned a, ai, b, bi; char text[20]; };
static struct line lines[MAX_LINES];
static unsigned lines_count, nodes;
static int spaces[MAX_NODES];
static unsigned first[MAX_NODES + 1], sorted[MAX_LINES];
static unsigned port[MAX_INTERFACES]; // by number: the last node, plus 1, where it is a bridge's port

static void die(const char *what) { perror(what); exit(1); }

static long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct nlmsghdr *message(int type, int flags, const void *header, size_t size) {
	struct nlmsghdr *m = (void *)(buffer + length);
	memset(m, 0, NLMSG_SPACE(size));
	*m = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = ++count};
	memcpy(NLMSG_DATA(m), header, size);
	return m;
}

static struct rtattr *put(struct nlmsghdr *m, int type, const void *data, size_t size) {
	struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->nlmsg_len));
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(size);
	if (size) memcpy(RTA_DATA(a), data, size);
	m->nlmsg_len = NLMSG_ALIGN(m->nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void close_nest(struct nlmsghdr *m, struct rtattr *a) {
	a->rta_len = (char *)m + NLMSG_ALIGN(m->nlmsg_len) - (char *)a;
}

static void done(struct nlmsghdr *m) { length += NLMSG_ALIGN(m->nlmsg_len); }

static int open_socket(void) {
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 4 * BUFFER;
	if (s < 0) die("socket");
	setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	return s;
}

// Sends what is in the buffer. The kernel works on it within the call; it answers errors only.
static void flush(int s) {
	char answer[8192];
	if (!count) return;
	if (send(s, buffer, length, 0) < 0) die("send");
	ssize_t n = recv(s, answer, sizeof answer, MSG_DONTWAIT);
	for (struct nlmsghdr *m = (void *)answer; n > 0 && NLMSG_OK(m, n); m = NLMSG_NEXT(m, n)) {
		struct nlmsgerr *e = NLMSG_DATA(m);
		if (m->nlmsg_type == NLMSG_ERROR && e->error) {
			fprintf(stderr, "message %u: %s\n", m->nlmsg_seq, strerror(-e->error));
			exit(1);
		}
	}
	length = count = 0;
}

static void name(struct nlmsghdr *m, unsigned number) {
	char text[IFNAMSIZ];
	put(m, IFLA_IFNAME, text, snprintf(text, sizeof text, "eth%u", number) + 1);
}

static void veth(const struct line *l) {
	struct ifinfomsg a = {.ifi_index = l->ai}, b = {.ifi_index = l->bi};
	unsigned group = GROUP;
	struct nlmsghdr *m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &a, sizeof a);
	name(m, l->ai);
	put(m, IFLA_GROUP, &group, 4);
	put(m, IFLA_NET_NS_FD, &spaces[l->a], 4);
	struct rtattr *info = put(m, IFLA_LINKINFO, 0, 0);
	put(m, IFLA_INFO_KIND, "veth", 5);
	struct rtattr *data = put(m, IFLA_INFO_DATA, 0, 0);
	struct rtattr *peer = put(m, VETH_INFO_PEER, &b, sizeof b);
	name(m, l->bi);
	put(m, IFLA_GROUP, &group, 4);
	put(m, IFLA_NET_NS_FD, &spaces[l->b], 4);
	close_nest(m, peer);
	close_nest(m, data);
	close_nest(m, info);
	done(m);
}

static void bridge(unsigned number) {
	struct ifinfomsg i = {.ifi_index = number};
	unsigned group = GROUP;
	struct nlmsghdr *m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	name(m, number);
	put(m, IFLA_GROUP, &group, 4);
	struct rtattr *info = put(m, IFLA_LINKINFO, 0, 0);
	put(m, IFLA_INFO_KIND, "bridge", 7);
	close_nest(m, info);
	done(m);
}

static void up(unsigned number, unsigned master) {
	struct ifinfomsg i = {.ifi_index = number, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nlmsghdr *m = message(RTM_NEWLINK, 0, &i, sizeof i);
	if (master) put(m, IFLA_MASTER, &master, 4);
	done(m);
}

static void address(unsigned number, char *text) {
	struct ifaddrmsg i = {.ifa_family = AF_INET, .ifa_index = number};
	struct in_addr a;
	char *slash = strchr(text, '/');
	*slash = 0;
	i.ifa_prefixlen = atoi(slash + 1);
	inet_pton(AF_INET, text, &a);
	struct nlmsghdr *m = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	put(m, IFA_LOCAL, &a, 4);
	put(m, IFA_ADDRESS, &a, 4);
	done(m);
}

static void route(const char *via) {
	struct rtmsg r = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
	struct in_addr a;
	inet_pton(AF_INET, via, &a);
	struct nlmsghdr *m = message(RTM_NEWROUTE, NLM_F_CREATE, &r, sizeof r);
	put(m, RTA_GATEWAY, &a, 4);
	done(m);
}

// What leaves by an interface is delayed, and handed to it in packets of one segment, as netem counts these.
static void impair(unsigned number, unsigned ms) {
	enum { TICKS_OF_MS = 1000000 / 64 }; // PSCHED_SHIFT of net/pkt_sched.h
	struct ifinfomsg i = {.ifi_index = number};
	struct tcmsg t = {.tcm_ifindex = number, .tcm_parent = TC_H_ROOT, .tcm_handle = 1 << 16};
	struct tc_netem_qopt netem = {.latency = ms * TICKS_OF_MS, .limit = 1000};
	unsigned segments = 1;
	struct nlmsghdr *m = message(RTM_NEWLINK, 0, &i, sizeof i);
	put(m, IFLA_GSO_MAX_SEGS, &segments, 4);
	done(m);
	m = message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &t, sizeof t);
	put(m, TCA_KIND, "netem", 6);
	put(m, TCA_OPTIONS, &netem, sizeof netem);
	done(m);
}

static void set(const char *path, const char *text) {
	int f = open(path, O_WRONLY | O_CLOEXEC);
	if (f < 0 || write(f, text, strlen(text)) < 0) die(path);
	close(f);
}

static void configure(unsigned node) {
	if (setns(spaces[node], CLONE_NEWNET)) die("setns");
	int s = open_socket();
	for (unsigned at = first[node]; at < first[node + 1]; at++) {
		struct line *l = &lines[sorted[at]];
		if (l->kind == 'b') bridge(l->ai);
		if (l->kind == 'm') up(l->ai, l->bi), port[l->ai] = node + 1;
		if (l->kind == 'i') impair(l->ai, l->bi);
	}
	up(1, 0);
	for (unsigned at = first[node]; at < first[node + 1]; at++) {
		struct line *l = &lines[sorted[at]];
		unsigned number = l->kind == 'v' && l->a != node ? l->bi : l->ai;
		if (l->kind == 'b' || (l->kind == 'v' && port[number] != node + 1)) up(number, 0);
	}
	for (unsigned at = first[node]; at < first[node + 1]; at++)
		if (lines[sorted[at]].kind == 'a') address(lines[sorted[at]].ai, lines[sorted[at]].text);
	for (unsigned at = first[node]; at < first[node + 1]; at++) {
		if (lines[sorted[at]].kind == 'r') route(lines[sorted[at]].text);
		if (lines[sorted[at]].kind == 'f') set("/proc/sys/net/ipv4/ip_forward", "1");
	}
	flush(s);
	close(s);
}

static void create(int host) {
	for (unsigned node = 0; node < nodes; node++) {
		if (unshare(CLONE_NEWNET)) die("unshare");
		spaces[node] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (spaces[node] < 0) die("open");
	}
	if (setns(host, CLONE_NEWNET)) die("setns");
	int s = open_socket();
	for (unsigned at = 0; at < lines_count; at++) {
		if (lines[at].kind == 'v') veth(&lines[at]);
		if (length > BUFFER - 4096) flush(s);
	}
	flush(s);
	close(s);
	for (unsigned node = 0; node < nodes; node++) configure(node);
	if (setns(host, CLONE_NEWNET)) die("setns");
}

// Lets all namespaces go. The kernel takes them apart in that order and does not tell when it is done,
// so one more goes after them, whose end is seen by the other end of its veth pair.
static void delete(int host) {
	struct line last = {.kind = 'v', .a = nodes, .ai = 2, .b = nodes + 1, .bi = 9999};
	if (unshare(CLONE_NEWNET)) die("unshare");
	spaces[last.a] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	spaces[last.b] = host;
	if (setns(host, CLONE_NEWNET)) die("setns");
	int s = open_socket();
	veth(&last);
	flush(s);
	for (unsigned node = 0; node <= nodes; node++) close(spaces[node]);
	while (if_nametoindex("eth9999")) usleep(1000);
}

// Reads the lab, and sorts its lines by node.
static void load(void) {
	char text[128];
	while (fgets(text, sizeof text, stdin) && text[0] != '\n') {
		struct line l = {.kind = text[0]};
		if (l.kind == 'v') sscanf(text + 1, "%u %u %u %u", &l.a, &l.ai, &l.b, &l.bi);
		if (l.kind == 'm') sscanf(text + 1, "%u %u %u", &l.a, &l.ai, &l.bi);
		if (l.kind == 'i') sscanf(text + 1, "%u %u %u", &l.a, &l.ai, &l.bi);
		if (l.kind == 'b') sscanf(text + 1, "%u %u", &l.a, &l.ai);
		if (l.kind == 'a') sscanf(text + 1, "%u %u %19s", &l.a, &l.ai, l.text);
		if (l.kind == 'r') sscanf(text + 1, "%u %19s", &l.a, l.text);
		if (l.kind == 'f') sscanf(text + 1, "%u", &l.a);
		if (l.kind == 'n') sscanf(text + 1, "%u", &nodes);
		else lines[lines_count++] = l;
	}
	unsigned at = 0;
	unsigned *counts = calloc(nodes + 1, sizeof *counts);
	for (unsigned i = 0; i < lines_count; i++) {
		counts[lines[i].a]++;
		if (lines[i].kind == 'v') counts[lines[i].b]++;
	}
	for (unsigned node = 0; node < nodes; node++) {
		first[node] = at;
		at += counts[node];
		counts[node] = first[node];
	}
	first[nodes] = at;
	for (unsigned i = 0; i < lines_count; i++) {
		sorted[counts[lines[i].a]++] = i;
		if (lines[i].kind == 'v') sorted[counts[lines[i].b]++] = i;
	}
}

int main(void) {
	struct rlimit limit = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_NOFILE, &limit);
	load();
	int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	long start = now();
	create(host);
	printf("%ld\n", now() - start);
	fflush(stdout);
	getchar();
	start = now();
	delete(host);
	printf("%ld\n", now() - start);
	return 0;
}
