/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* HTTP requests over many ports at once, which wrk cannot do.
 *
 *     bench-users SECONDS BODY PORT…
 *
 * Keeps a connection to each port of 127.0.0.1, with one request on its way, whose answer has a
 * body of BODY bytes. Prints a line of JSON: requests, the time that they took, and of the time
 * that one takes the median and the 99th percentile, in microseconds.
 */

#include <arpa/inet.h>
#include <gio/gio.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define N_EVENTS 256

typedef struct {
  int fd;
  gint64 begun;
  size_t length;
  char answer[1024];
} User;

static void
check (gboolean condition, const char *what)
{
  if (!condition)
    g_error ("%s: %s", what, g_strerror (errno));
}

static void
ask (User *user)
{
  user->length = 0;
  user->begun = g_get_monotonic_time ();
  check (send (user->fd, REQUEST, strlen (REQUEST), MSG_NOSIGNAL) == strlen (REQUEST), "request");
}

static User *
connect_to (guint16 port)
{
  User *user = g_new0 (User, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port) };
  int yes = 1;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  user->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check (user->fd >= 0, "socket");
  check (connect (user->fd, (struct sockaddr *) &address, sizeof address) == 0, "connection");
  setsockopt (user->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return user;
}

/* Whether the answer is there, whole. */
static gboolean
read_answer (User *user, size_t body)
{
  ssize_t n_read =
      recv (user->fd, user->answer + user->length, sizeof user->answer - 1 - user->length, 0);
  const char *end;

  check (n_read > 0, "answer");
  user->length += n_read;
  user->answer[user->length] = '\0';
  end = strstr (user->answer, "\r\n\r\n");
  if (end == NULL || user->length < (size_t) (end - user->answer) + 4 + body)
    return FALSE;
  check (g_str_has_prefix (user->answer, "HTTP/1.1 200 "), "status");
  return TRUE;
}

/* Lets them all ask until the time is over; the time that each request took. */
static GArray *
let_them_ask (int epoll, size_t body, gint64 until)
{
  GArray *times = g_array_new (FALSE, FALSE, sizeof (guint32));
  struct epoll_event events[N_EVENTS];

  while (g_get_monotonic_time () < until)
    {
      int n_events = epoll_wait (epoll, events, N_EVENTS, 1000);

      for (int i = 0; i < n_events; i++)
        {
          User *user = events[i].data.ptr;
          guint32 time;

          if (!read_answer (user, body))
            continue;
          time = g_get_monotonic_time () - user->begun;
          g_array_append_val (times, time);
          ask (user);
        }
    }
  return times;
}

static int
compare (const void *a, const void *b)
{
  guint32 one = *(const guint32 *) a;
  guint32 other = *(const guint32 *) b;

  return (one > other) - (one < other);
}

int
main (int argc, char **argv)
{
  int epoll = epoll_create1 (EPOLL_CLOEXEC);
  g_autoptr(GArray) times = NULL;
  gint64 begun;
  gint64 taken;

  if (argc < 4)
    g_error ("bench-users SECONDS BODY PORT…");
  begun = g_get_monotonic_time ();
  for (int i = 3; i < argc; i++)
    {
      User *user = connect_to (atoi (argv[i]));
      struct epoll_event event = { .events = EPOLLIN, .data.ptr = user };

      check (epoll_ctl (epoll, EPOLL_CTL_ADD, user->fd, &event) == 0, "epoll");
      ask (user);
    }
  /* The time that all of them take to connect is not the tunnel's at rest. */
  g_array_unref (let_them_ask (epoll, atoi (argv[2]), begun + G_USEC_PER_SEC));
  begun = g_get_monotonic_time ();
  times = let_them_ask (epoll, atoi (argv[2]), begun + atoi (argv[1]) * G_USEC_PER_SEC);
  taken = g_get_monotonic_time () - begun;
  check (times->len > 0, "no answer at all");
  g_array_sort (times, compare);
  g_print ("{\"requests\": %u, \"microseconds\": %" G_GINT64_FORMAT ", \"median\": %u, "
           "\"p99\": %u}\n",
           times->len, taken, g_array_index (times, guint32, times->len / 2),
           g_array_index (times, guint32, times->len / 100 * 99));
  return 0;
}
