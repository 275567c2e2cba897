/* What the lab's guest is asked from outside, in one static program: `guest APPLET [ARGUMENT...]`.
 *
 *   load FILE...         load kernel modules, in this order; those that the machine has no use for are passed over
 *   watch                a DHCP client for each Ethernet interface that comes; the power button turns the machine off
 *   echo                 answer on TCP and UDP port 7 with what was sent
 *   facts                what the machine sees of itself, one `key=value` a line
 *   dirty MIB MIB_PER_S  write memory without end
 *   tpm write HEX | read keep up to 32 bytes in the TPM, or print them
 *
 * Sources: TPM 2.0 Library Part 3 (NV_DefineSpace, NV_Write, NV_Read), QEMU docs/specs/vmgenid.txt (the GUID's offset),
 * linux/input.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GENERATION "/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw"
#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define CONNECTIONS 256
#define NV_INDEX 0x01500020
#define NV_SIZE 32

static int fail(const char *what)
{
	fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
	return 1;
}

static ssize_t contents(const char *path, char *into, size_t size)
{
	int file = open(path, O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, into, size - 1);
	if (file >= 0)
		close(file);
	into[length < 0 ? 0 : length] = 0;
	return length;
}

static int load(char **files)
{
	for (; *files; files++) {
		int file = open(*files, O_RDONLY);
		if (file < 0)
			return fail(*files);
		if (syscall(SYS_finit_module, file, "", 0) && errno != ENODEV && errno != EEXIST)
			fail(*files);
		close(file);
	}
	return 0;
}

/* --- watch ------------------------------------------------------------------------------------------------------ */

static void lease(const char *interface)
{
	static const char *options[] = {"-f", "-R", "-b", "-t", "5", "-T", "1", "-A", "2", "-O", "mtu", "-O", "staticroutes",
					"-s", "/bin/lease"};
	const char *argv[24] = {"udhcpc", "-i", interface};
	memcpy(argv + 3, options, sizeof options);
	if (fork() == 0) {
		execv("/bin/udhcpc", (char **)argv);
		_exit(127);
	}
}

static void start_clients(void)
{
	/* A NIC that was unplugged and comes again has a new index: its client died with the old one. */
	static int known[64];
	static int count;
	struct dirent *entry;
	DIR *all = opendir("/sys/class/net");
	while (all && (entry = readdir(all))) {
		char path[300], text[32];
		if (strncmp(entry->d_name, "eth", 3) || strchr(entry->d_name, '.'))
			continue;
		snprintf(path, sizeof path, "/sys/class/net/%s/ifindex", entry->d_name);
		if (contents(path, text, sizeof text) <= 0)
			continue;
		int index = atoi(text), seen = 0;
		for (int i = 0; i < count; i++)
			seen |= known[i] == index;
		if (seen || count == 64)
			continue;
		known[count++] = index;
		lease(entry->d_name);
	}
	if (all)
		closedir(all);
}

static int watch(void)
{
	struct pollfd buttons[8];
	int count = 0;
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		start_clients();
		for (; count < 8; count++) {
			char path[32];
			snprintf(path, sizeof path, "/dev/input/event%d", count);
			buttons[count].fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
			buttons[count].events = POLLIN;
			if (buttons[count].fd < 0)
				break;
		}
		if (poll(buttons, count, 300) <= 0)
			continue;
		for (int i = 0; i < count; i++) {
			struct input_event event;
			while (read(buttons[i].fd, &event, sizeof event) == sizeof event)
				if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) {
					sync();
					reboot(RB_POWER_OFF);
				}
		}
	}
	return 0;
}

/* --- echo ------------------------------------------------------------------------------------------------------- */

static int bound(int type)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
	int on = 1, made = socket(AF_INET6, type, 0);
	setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(made, (struct sockaddr *)&any, sizeof any) || (type == SOCK_STREAM && listen(made, 64)))
		exit(fail("port 7"));
	return made;
}

static int echo(void)
{
	static struct pollfd ends[CONNECTIONS];
	static char data[65536];
	int count = 2;
	signal(SIGPIPE, SIG_IGN);
	ends[0] = (struct pollfd){.fd = bound(SOCK_DGRAM), .events = POLLIN};
	ends[1] = (struct pollfd){.fd = bound(SOCK_STREAM), .events = POLLIN};
	while (poll(ends, count, -1) >= 0) {
		struct sockaddr_in6 from;
		socklen_t size = sizeof from;
		if (ends[0].revents) {
			ssize_t got = recvfrom(ends[0].fd, data, sizeof data, 0, (struct sockaddr *)&from, &size);
			if (got >= 0)
				sendto(ends[0].fd, data, got, 0, (struct sockaddr *)&from, size);
		}
		for (int i = 2; i < count; i++) {
			if (!ends[i].revents)
				continue;
			ssize_t got = read(ends[i].fd, data, sizeof data);
			if (got > 0 && write(ends[i].fd, data, got) == got)
				continue;
			close(ends[i].fd);
			ends[i--] = ends[--count];
		}
		if (ends[1].revents && count < CONNECTIONS)
			ends[count++] = (struct pollfd){.fd = accept(ends[1].fd, 0, 0), .events = POLLIN};
	}
	return fail("poll");
}

/* --- facts ------------------------------------------------------------------------------------------------------ */

static void print_generation(void)
{
	unsigned char blob[4096];
	int file = open(GENERATION, O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, blob, sizeof blob);
	/* A GUID's first three fields are little endian. */
	static const int order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	printf("generation_id=");
	for (int i = 0; length >= 56 && i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", blob[40 + order[i]]);
	printf("\n");
}

static void print_processor(void)
{
	static char text[1 << 18];
	char model[256] = "", flags[8192] = "";
	int processors = 0;
	FILE *file = fopen("/proc/cpuinfo", "r");
	while (file && fgets(text, sizeof text, file)) {
		sscanf(text, "model name : %255[^\n]", model);
		sscanf(text, "flags : %8191[^\n]", flags);
		processors += !strncmp(text, "processor", 9);
	}
	printf("processors=%d\nprocessor_model=%s\nprocessor_flags=%s\n", processors, model, flags);
}

static int facts(void)
{
	char text[4096], key[64];
	unsigned long value;
	contents("/proc/sys/kernel/random/boot_id", text, sizeof text);
	printf("boot_id=%.36s\n", text);
	contents("/proc/uptime", text, sizeof text);
	printf("uptime_s=%.2f\n", atof(text));
	FILE *file = fopen("/proc/meminfo", "r");
	while (file && fgets(text, sizeof text, file))
		if (sscanf(text, "%63[^:]: %lu", key, &value) == 2 && !strcmp(key, "MemTotal"))
			printf("memory_kib=%lu\n", value);
	print_processor();
	print_generation();
	printf("firmware=%s\n", access("/sys/firmware/efi", F_OK) ? "bios" : "uefi");
	printf("secure_boot=%s\n", contents(SECURE_BOOT, text, sizeof text) == 5 && text[4] ? "yes" : "no");
	printf("tpm=%s\n", access("/dev/tpm0", F_OK) ? "no" : "yes");
	for (int i = 0; i < 8; i++) {
		char path[64];
		snprintf(path, sizeof path, "/sys/devices/system/node/node%d", i);
		if (!access(path, F_OK))
			printf("numa_node=%d\n", i);
	}
	return 0;
}

/* --- dirty ------------------------------------------------------------------------------------------------------ */

static int dirty(size_t mib, size_t mib_per_s)
{
	size_t size = mib << 20, at = 0, slice = (mib_per_s << 20) / 100;
	unsigned char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec next;
	if (memory == MAP_FAILED)
		return fail("memory");
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned char round = 1;; round++) {
		for (size_t done = 0; done < slice; done += 4096, at = (at + 4096) % size)
			memory[at] += round | 1; /* one byte dirties its page */
		next.tv_nsec += 10000000;
		if (next.tv_nsec >= 1000000000)
			next.tv_nsec -= 1000000000, next.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, 0);
	}
}

/* --- tpm -------------------------------------------------------------------------------------------------------- */

static unsigned char message[4096];
static size_t filled;

static void put(uint32_t value, int bytes)
{
	while (bytes--)
		message[filled++] = value >> (8 * bytes);
}

static void begin(uint32_t command, int handles)
{
	filled = 0;
	put(0x8002, 2), put(0, 4), put(command, 4); /* TPM_ST_SESSIONS */
	put(0x40000001, 4);			    /* TPM_RH_OWNER, whose authorisation is empty */
	if (handles == 2)
		put(NV_INDEX, 4);
	put(9, 4), put(0x40000009, 4), put(0, 2), put(0, 1), put(0, 2); /* TPM_RS_PW */
}

static uint32_t ask(void)
{
	size_t size = filled;
	int file = open("/dev/tpm0", O_RDWR);
	filled = 2, put(size, 4);
	if (file < 0 || write(file, message, size) != (ssize_t)size || read(file, message, sizeof message) < 10)
		exit(fail("/dev/tpm0"));
	close(file);
	return (uint32_t)message[6] << 24 | message[7] << 16 | message[8] << 8 | message[9];
}

static int tpm_write(const char *hex)
{
	unsigned char secret[NV_SIZE] = {0};
	for (int i = 0; i < NV_SIZE && hex[2 * i] && hex[2 * i + 1]; i++)
		sscanf(hex + 2 * i, "%2hhx", &secret[i]);
	begin(0x12A, 1); /* NV_DefineSpace; owner and index may read and write, no dictionary attack protection */
	put(0, 2), put(14, 2), put(NV_INDEX, 4), put(0x000B, 2), put(0x02060006, 4), put(0, 2), put(NV_SIZE, 2);
	uint32_t code = ask();
	if (code && code != 0x14C) /* TPM_RC_NV_DEFINED */
		return fprintf(stderr, "guest: NV_DefineSpace: %#x\n", code), 1;
	begin(0x137, 2); /* NV_Write */
	put(NV_SIZE, 2);
	memcpy(message + filled, secret, NV_SIZE), filled += NV_SIZE;
	put(0, 2);
	if ((code = ask()))
		return fprintf(stderr, "guest: NV_Write: %#x\n", code), 1;
	return 0;
}

static int tpm_read(void)
{
	begin(0x14E, 2); /* NV_Read */
	put(NV_SIZE, 2), put(0, 2);
	uint32_t code = ask();
	if (code)
		return fprintf(stderr, "guest: NV_Read: %#x\n", code), 1;
	for (int i = 0; i < NV_SIZE; i++)
		printf("%02x", message[16 + i]); /* header 10, parameter size 4, buffer size 2 */
	printf("\n");
	return 0;
}

int main(int count, char **words)
{
	const char *applet = count > 1 ? words[1] : "";
	if (!strcmp(applet, "load"))
		return load(words + 2);
	if (!strcmp(applet, "watch"))
		return watch();
	if (!strcmp(applet, "echo"))
		return echo();
	if (!strcmp(applet, "facts"))
		return facts();
	if (!strcmp(applet, "dirty") && count == 4)
		return dirty(atoi(words[2]), atoi(words[3]));
	if (!strcmp(applet, "tpm") && count == 4 && !strcmp(words[2], "write"))
		return tpm_write(words[3]);
	if (!strcmp(applet, "tpm") && count == 3 && !strcmp(words[2], "read"))
		return tpm_read();
	fprintf(stderr, "guest: no such applet: %s\n", applet);
	return 2;
}
