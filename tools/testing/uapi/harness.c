// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Runs the cases that match the patterns given, or all. */

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define EXIT_SKIP	77
#define DEFAULT_SECONDS	60

static const struct test_case *current_case;
/* Shared with the case's process: why it was skipped, or what it tells. */
static char *told;

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(told, 256, fmt, args);
	va_end(args);
	exit(EXIT_SKIP);
}

void figure(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(told, 256, fmt, args);
	va_end(args);
}

void fail_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# %s:%d: ", file, line);
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	exit(EXIT_FAILURE);
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

bool read_file(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t got;

	if (!f)
		return false;
	got = fread(text, 1, size - 1, f);
	text[got] = '\0';
	fclose(f);
	return true;
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t len = strlen(text), done;
	int ret = 0;

	if (fd < 0)
		return -errno;
	done = write(fd, text, len);
	if (done < 0)
		ret = -errno;
	else if (done != len)
		ret = -EIO;
	close(fd);
	return ret;
}

char *find_key(char *text, const char *key)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, key, len) && text[len] == ':')
			return text + len + 1 + strspn(text + len + 1, " \t");
	}
	return NULL;
}

static bool run_host(const char *fmt, va_list args)
{
	char command[256] = "host ";

	vsnprintf(command + 5, sizeof(command) - 5, fmt, args);
	fflush(stdout);
	return system(command) == 0;
}

void ask_host(const char *fmt, ...)
{
	va_list args;
	bool ok;

	va_start(args, fmt);
	ok = run_host(fmt, args);
	va_end(args);
	if (!ok)
		fail("the host refused: %s", fmt);
}

bool try_host(const char *fmt, ...)
{
	va_list args;
	bool ok;

	va_start(args, fmt);
	ok = run_host(fmt, args);
	va_end(args);
	return ok;
}

const char *case_label(void)
{
	static char label[64];
	char *c;

	snprintf(label, sizeof(label), "%s", current_case->name);
	for (c = label; *c; c++)
		if (*c == '/')
			*c = '-';
	return label;
}

/* Wait for the case's process, but not for ever, and without a stir. */
static int await(pid_t pid, const sigset_t *child, int seconds, bool *late)
{
	struct timespec patience = { .tv_sec = seconds };
	int status;

	*late = false;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sigtimedwait(child, NULL, &patience) >= 0 || errno != EAGAIN)
			continue;
		if (*late) {
			printf("Bail out! process %d cannot be killed\n", pid);
			exit(EXIT_FAILURE);
		}
		*late = true;
		patience.tv_sec = 10;
		kill(-pid, SIGKILL);
	}
	return status;
}

static bool run_case(int number, const struct test_case *tc)
{
	int seconds = tc->seconds ? tc->seconds : DEFAULT_SECONDS;
	int64_t start = now_ms();
	sigset_t child;
	bool late;
	int status;
	pid_t pid;

	printf("# %s\n", tc->name);
	fflush(stdout);
	told[0] = '\0';
	/* Blocked, so that it can be waited for. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(EXIT_FAILURE);
	}
	if (pid == 0) {
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		setpgid(0, 0);
		current_case = tc;
		tc->run(tc->arg);
		exit(EXIT_SUCCESS);
	}
	setpgid(pid, pid);
	status = await(pid, &child, seconds, &late);

	if (late)
		printf("not ok %d - %s # took longer than %d s\n", number,
		       tc->name, seconds);
	else if (WIFSIGNALED(status))
		printf("not ok %d - %s # killed by signal %d\n", number,
		       tc->name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == EXIT_SKIP)
		printf("ok %d - %s # SKIP %s\n", number, tc->name,
		       told);
	else
		printf("%s %d - %s # %s%s%lld ms\n",
		       WEXITSTATUS(status) ? "not ok" : "ok", number, tc->name,
		       told, told[0] ? ", " : "",
		       (long long)(now_ms() - start));
	fflush(stdout);
	return !late && WIFEXITED(status) &&
	       (WEXITSTATUS(status) == EXIT_SUCCESS ||
		WEXITSTATUS(status) == EXIT_SKIP);
}

static bool matches(const char *name, int n, char **patterns)
{
	int i;

	for (i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return n == 0;
}

int main(int argc, char **argv)
{
	bool list = argc > 1 && !strcmp(argv[1], "--list");
	const struct test_case *tc;
	int planned = 0;
	int failed = 0;
	unsigned int t;
	int number = 0;

	if (argc > 1 && !list && argv[1][0] == '-') {
		printf("usage: %s [--list] [PATTERN...]\n"
		       "Runs the cases whose group/name matches a pattern.\n",
		       argv[0]);
		return EXIT_FAILURE;
	}
	told = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	argc -= 1 + list;
	argv += 1 + list;

	for (t = 0; test_tables[t]; t++)
		for (tc = test_tables[t]; tc->name; tc++)
			planned += matches(tc->name, argc, argv);
	if (!planned) {
		printf("Bail out! no such case\n");
		return EXIT_FAILURE;
	}
	if (!list)
		printf("KTAP version 1\n1..%d\n", planned);
	for (t = 0; test_tables[t]; t++) {
		for (tc = test_tables[t]; tc->name; tc++) {
			if (!matches(tc->name, argc, argv))
				continue;
			if (list)
				printf("%s\n", tc->name);
			else if (!run_case(++number, tc))
				failed++;
		}
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
