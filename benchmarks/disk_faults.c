/* A disk that fails on demand: preloaded into a process, it counts the calls that write below one folder and makes the
 * n-th of them fail, or kills the process there. SQLite's calls are met like everybody else's.
 *
 *     cc -shared -fPIC -O1 -o disk_faults.so disk_faults.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 1, SYNCS = 2 };

static char folder[PATH_MAX];
static int which, error_number;   /* calls that count; 0 as the error: kill the process */
static long countdown, counted;   /* the call that fails, and all after it */
static int log_fd = -1;           /* "path size\n" of every file that was synced, as it was then */

/* From now on the n-th call (1: the next) of a kind below `path` and all later ones fail with `error`. n = 0: count
 * only. What is synced is noted in the file `log`, when there is one. */
void faults_arm(const char *path, int kinds, long n, int error, const char *log)
{
    snprintf(folder, sizeof folder, "%s", path);
    which = kinds, countdown = n, error_number = error, counted = 0;
    log_fd = *log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
}

long faults_counted(void) { return counted; }

static int path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return *folder && strncmp(path, folder, strlen(folder)) == 0;
}

/* Whether this call has to fail. `fd` -1: a call by path, which the caller has looked at. */
static int fails(int kind, int fd)
{
    char path[PATH_MAX];
    if (!(which & kind) || (fd >= 0 && !path_of(fd, path)))
        return 0;
    long number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    if (!countdown || number < countdown)
        return 0;
    if (!error_number)
        kill(getpid(), SIGKILL);
    errno = error_number;
    return 1;
}

static void note_synced(int fd)
{
    char path[PATH_MAX], line[PATH_MAX + 32];
    struct stat now;
    if (log_fd < 0 || !path_of(fd, path) || fstat(fd, &now))
        return;
    int length = snprintf(line, sizeof line, "%s %lld\n", path, (long long)now.st_size);
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "write");
    (void)!real(log_fd, line, length);
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* A disk that is full takes a part of the data first. */
static size_t part(size_t size) { return size / 2; }

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    if (!fails(WRITES, fd))
        return real(fd, data, size);
    int error = errno;
    (void)!real(fd, data, part(size));
    errno = error;
    return -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    if (!fails(WRITES, fd))
        return real(fd, parts, count);
    int error = errno;
    (void)!real(fd, parts, count / 2 + 1);
    errno = error;
    return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    REAL(pwrite);
    if (!fails(WRITES, fd))
        return real(fd, data, size, offset);
    int error = errno;
    (void)!real(fd, data, part(size), offset);
    errno = error;
    return -1;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

int fsync(int fd)
{
    REAL(fsync);
    if (fails(SYNCS, fd))
        return -1;
    note_synced(fd);
    return real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    if (fails(SYNCS, fd))
        return -1;
    note_synced(fd);
    return real(fd);
}

int unlink(const char *path)
{
    REAL(unlink);
    if (*folder && strncmp(path, folder, strlen(folder)) == 0 && fails(WRITES, -1))
        return -1;
    return real(path);
}

int rename(const char *old, const char *new)
{
    REAL(rename);
    if (*folder && strncmp(old, folder, strlen(folder)) == 0 && fails(WRITES, -1))
        return -1;
    return real(old, new);
}
