/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-listener-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt-error-private.h"
#include "vt-rate-private.h"
#include "vt-text-private.h"

#define BACKLOG 1024
#define ACCEPTS_PER_DISPATCH 64
#define RETRY_DELAY (200 * G_TIME_SPAN_MILLISECOND)

/* Who accepts too fast pauses for so long at least, and not for each one. */
#define MIN_PAUSE (10 * G_TIME_SPAN_MILLISECOND)

/* How often a port that is free for IPv4 is looked for until it is free for IPv6 too. */
#define PORT_ATTEMPTS 16

#define MAX_SOCKETS 2

typedef struct {
  VtListener *listener; /* not owned: the listener owns the socket */
  int fd;               /* owned */
  GSocketAddress *name; /* owned: what every peer comes to; NULL if that can be several addresses */
  VtWatch *watch;       /* owned */
} Socket;

/* Why it does not accept now. */
typedef enum {
  HELD_BY_OWNER = 1 << 0,
  WITHOUT_DESCRIPTORS = 1 << 1,
  TOO_FAST = 1 << 2,
} Obstacle;

struct _VtListener {
  unsigned int ref_count; /* the owner's, and one while connections are handed out */
  Socket sockets[MAX_SOCKETS];
  unsigned int n_sockets;
  char *address; /* owned, of the first socket */
  guint16 port;
  VtTimer *retry; /* owned: the obstacle may be gone, if it is none of the owner's */
  unsigned int obstacles;
  unsigned int max_rate; /* a second; 0: any */
  VtRate rate;
  VtListenerFunc func; /* NULL once the listener was freed */
  void *user_data;     /* the caller's */
};

/* For figures only: with listeners in several threads one may be missed. */
static guint64 n_pauses[VT_LISTENER_N_PAUSES];

/* The literal addresses that `address` stands for; more than one are alternatives, too: it is
 * enough if the machine has one of them. */
typedef struct {
  char *texts[MAX_SOCKETS]; /* owned */
  unsigned int n_texts;
} Names;

static void
names_clear (Names *names)
{
  for (unsigned int i = 0; i < names->n_texts; i++)
    g_free (names->texts[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Names, names_clear)

static void
names_add (Names *names, const char *text)
{
  names->texts[names->n_texts++] = g_strdup (text);
}

static char *
strip_brackets (const char *address)
{
  size_t length = strlen (address);

  if (length > 2 && address[0] == '[' && address[length - 1] == ']')
    return g_strndup (address + 1, length - 2);
  return g_strdup (address);
}

static gboolean
names_find (Names *names, const char *address, GError **error)
{
  g_autofree char *literal = strip_brackets (address);
  g_autoptr(GSocketAddress) parsed = NULL;
  g_autofree char *escaped = NULL;

  if (g_str_equal (address, "localhost"))
    {
      names_add (names, "127.0.0.1");
      names_add (names, "::1");
      return TRUE;
    }
  if (g_str_equal (address, "*"))
    {
      names_add (names, "0.0.0.0");
      names_add (names, "::");
      return TRUE;
    }

  parsed = g_inet_socket_address_new_from_string (literal, 0);
  if (parsed != NULL)
    {
      names_add (names, literal);
      return TRUE;
    }
  escaped = vt_text_escape (address, -1);
  g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
               _ ("“%s” is no IP address: names are not looked up here, but “localhost” and “*” "
                  "can be used"),
               escaped);
  return FALSE;
}

static void
set_open_error (GError **error, int code, const char *text, guint16 port)
{
  switch (code)
    {
    case EADDRINUSE:
      if (port == 0)
        g_set_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE,
                     _ ("All ports on %s are already in use"), text);
      else
        g_set_error (error, VT_ERROR, VT_ERROR_ADDRESS_IN_USE,
                     _ ("Port %u on %s is already in use"), port, text);
      break;
    case EACCES:
    case EPERM:
      g_set_error (error, VT_ERROR, VT_ERROR_PERMISSION_DENIED,
                   _ ("Opening port %u on %s is not permitted by the system"), port, text);
      break;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("%s is no address of this machine"), text);
      break;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      g_set_error (error, VT_ERROR, VT_ERROR_LIMIT, _ ("Port %u on %s cannot be opened now: %s"),
                   port, text, g_strerror (code));
      break;
    default:
      g_set_error (error, VT_ERROR, VT_ERROR_FAILED, _ ("Port %u on %s cannot be opened: %s"), port,
                   text, g_strerror (code));
      break;
    }
}

/* IPv4 and IPv6 are sockets of their own, whatever the system's default is. */
static gboolean
bind_and_listen (int fd, const struct sockaddr_storage *native, socklen_t length)
{
  int yes = 1;

  if (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
    return FALSE;
  if (native->ss_family == AF_INET6
      && setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0)
    return FALSE;
  return bind (fd, (const struct sockaddr *) native, length) == 0 && listen (fd, BACKLOG) == 0;
}

/* NULL if there is none, as for a connection that was reset meanwhile. */
static GSocketAddress *
get_name (int fd)
{
  struct sockaddr_storage native = { 0 };
  socklen_t length = sizeof native;

  if (getsockname (fd, (struct sockaddr *) &native, &length) != 0)
    return NULL;
  return g_socket_address_new_from_native (&native, length);
}

/* Takes the descriptor of an open socket. The name tells the port that the system chose, and the
 * address as everybody writes it. */
static void
add_socket (VtListener *self, int fd, GSocketAddress *name)
{
  GInetSocketAddress *inet = G_INET_SOCKET_ADDRESS (name);
  GInetAddress *address = g_inet_socket_address_get_address (inet);
  Socket *added = &self->sockets[self->n_sockets++];

  if (self->n_sockets == 1)
    {
      self->address = g_inet_address_to_string (address);
      self->port = g_inet_socket_address_get_port (inet);
    }
  *added = (Socket){ .listener = self, .fd = fd };
  if (!g_inet_address_get_is_any (address))
    added->name = g_object_ref (name);
}

/* Gives what went wrong as errno says it, or 0. */
static int
open_socket (VtListener *self, const char *text, guint16 port)
{
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string (text, port);
  struct sockaddr_storage native = { 0 };
  socklen_t length = (socklen_t) g_socket_address_get_native_size (address);
  g_autoptr(GSocketAddress) name = NULL;
  int fd;

  if (!g_socket_address_to_native (address, &native, sizeof native, NULL))
    return EINVAL;

  fd = socket (native.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return errno;
  if (!bind_and_listen (fd, &native, length) || (name = get_name (fd)) == NULL)
    {
      int code = errno;

      close (fd);
      return code;
    }

  add_socket (self, fd, name);
  return 0;
}

static void
close_sockets (VtListener *self)
{
  while (self->n_sockets > 0)
    {
      Socket *last = &self->sockets[--self->n_sockets];

      g_clear_pointer (&last->watch, vt_watch_free);
      g_clear_object (&last->name);
      close (last->fd);
    }
  g_clear_pointer (&self->address, g_free);
}

static int
open_each (VtListener *self, const Names *names, guint16 port, const char **culprit)
{
  int code = 0;

  for (unsigned int i = 0; i < names->n_texts; i++)
    {
      int result = open_socket (self, names->texts[i], self->n_sockets > 0 ? self->port : port);

      if (result == 0)
        continue;
      code = result;
      *culprit = names->texts[i];
      if (result == EAFNOSUPPORT || result == EADDRNOTAVAIL)
        continue;
      close_sockets (self);
      return code;
    }
  return self->n_sockets > 0 ? 0 : code;
}

static gboolean
open_all (VtListener *self, const char *address, guint16 port, GError **error)
{
  g_auto(Names) names = { 0 };
  const char *culprit = NULL;
  int code = EADDRINUSE;

  if (!names_find (&names, address, error))
    return FALSE;

  for (int i = 0; i < PORT_ATTEMPTS && code == EADDRINUSE; i++)
    {
      code = open_each (self, &names, port, &culprit);
      if (port != 0)
        break;
    }
  if (code != 0)
    set_open_error (error, code, culprit, port);
  return code == 0;
}

/* The queue of the kernel keeps who comes meanwhile. */
static void
set_obstacle (VtListener *self, Obstacle obstacle, gboolean there)
{
  unsigned int obstacles = there ? self->obstacles | obstacle : self->obstacles & ~obstacle;

  if ((obstacles == 0) != (self->obstacles == 0))
    for (unsigned int i = 0; i < self->n_sockets; i++)
      vt_watch_set_condition (self->sockets[i].watch, obstacles == 0 ? G_IO_IN : 0);
  self->obstacles = obstacles;
}

static void
pause_accepting (VtListener *self, Obstacle obstacle, gint64 delay)
{
  n_pauses[obstacle == TOO_FAST ? VT_LISTENER_PAUSE_RATE : VT_LISTENER_PAUSE_DESCRIPTORS]++;
  set_obstacle (self, obstacle, TRUE);
  vt_timer_start (self->retry, delay);
}

static void
retry_cb (void *user_data)
{
  VtListener *self = user_data;

  set_obstacle (self, TOO_FAST, FALSE);
  if ((self->obstacles & WITHOUT_DESCRIPTORS) == 0 || vt_listener_look_for_descriptors ())
    set_obstacle (self, WITHOUT_DESCRIPTORS, FALSE);
  else
    vt_timer_start (self->retry, RETRY_DELAY);
}

/* Whether the next one in the queue can be accepted all the same. What the network did to a
 * connection that waited there is reported here, too (accept (2)); anything else may last, and
 * trying again at once would only burn time. */
static gboolean
survive_accept_error (VtListener *self, int code)
{
  switch (code)
    {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
      return FALSE;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case ETIMEDOUT:
      return TRUE;
    default:
      g_debug ("Port %u cannot accept now: %s", self->port, g_strerror (code));
      pause_accepting (self, WITHOUT_DESCRIPTORS, RETRY_DELAY);
      return FALSE;
    }
}

static gboolean
may_accept (VtListener *self)
{
  gint64 wait = 0;

  if (self->obstacles != 0)
    return FALSE;
  if (!vt_listener_may_take_descriptor ())
    {
      pause_accepting (self, WITHOUT_DESCRIPTORS, RETRY_DELAY);
      return FALSE;
    }
  if (self->max_rate > 0)
    wait = vt_rate_get_wait (&self->rate, g_get_monotonic_time ());
  if (wait > 0)
    pause_accepting (self, TOO_FAST, MAX (wait, MIN_PAUSE));
  return wait == 0;
}

static gboolean
accept_one (VtListener *self, Socket *from)
{
  struct sockaddr_storage native = { 0 };
  socklen_t length = sizeof native;
  g_autoptr(GSocketAddress) remote = NULL;
  g_autoptr(GSocketAddress) local = NULL;
  int fd;

  if (!may_accept (self))
    return FALSE;
  fd = accept4 (from->fd, (struct sockaddr *) &native, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return survive_accept_error (self, errno);

  vt_rate_take (&self->rate, self->max_rate, g_get_monotonic_time ());
  remote = g_socket_address_new_from_native (&native, length);
  local = from->name != NULL ? g_object_ref (from->name) : get_name (fd);
  self->func (fd, remote, local, self->user_data);
  return TRUE;
}

static void
listener_unref (VtListener *self)
{
  if (--self->ref_count == 0)
    g_free (self);
}

static void
incoming_cb (GIOCondition condition, void *user_data)
{
  Socket *from = user_data;
  VtListener *self = from->listener;

  self->ref_count++;
  for (int i = 0; i < ACCEPTS_PER_DISPATCH && self->func != NULL; i++)
    if (!accept_one (self, from))
      break;
  listener_unref (self);
}

static gboolean
watch_all (VtListener *self, GError **error)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);

  for (unsigned int i = 0; i < self->n_sockets; i++)
    {
      Socket *one = &self->sockets[i];
      g_autoptr(GError) local_error = NULL;

      one->watch = vt_watch_new (poller, one->fd, G_IO_IN, incoming_cb, one, &local_error);
      if (one->watch != NULL)
        continue;
      g_propagate_error (error, vt_error_from_platform (local_error, VT_ERROR_FAILED));
      return FALSE;
    }
  return TRUE;
}

static VtListener *
create (VtListenerFunc func, void *user_data)
{
  VtListener *self = g_new0 (VtListener, 1);
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  self->ref_count = 1;
  self->func = func;
  self->user_data = user_data;
  self->retry = vt_timer_new (clock, "accept again", retry_cb, self);
  return self;
}

static gboolean
has_option (int fd, int option, int wanted)
{
  int value = -1;
  socklen_t length = sizeof value;

  return getsockopt (fd, SOL_SOCKET, option, &value, &length) == 0 && value == wanted;
}

/* Whoever has opened it may have left it blocking, and may go on using it. */
static gboolean
adopt (VtListener *self, int fd, GError **error)
{
  g_autoptr(GSocketAddress) name = get_name (fd);
  int own;

  if (!G_IS_INET_SOCKET_ADDRESS (name) || !has_option (fd, SO_TYPE, SOCK_STREAM)
      || !has_option (fd, SO_ACCEPTCONN, 1))
    {
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("A TCP socket that listens is needed"));
      return FALSE;
    }
  own = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0 || !g_unix_set_fd_nonblocking (own, TRUE, NULL))
    {
      g_set_error (error, VT_ERROR, VT_ERROR_LIMIT, _ ("The socket cannot be taken now: %s"),
                   g_strerror (errno));
      if (own >= 0)
        close (own);
      return FALSE;
    }
  add_socket (self, own, name);
  return TRUE;
}

VtListener *
vt_listener_new_for_socket (int fd, VtListenerFunc func, void *user_data, GError **error)
{
  g_autoptr(VtListener) self = create (func, user_data);

  if (!adopt (self, fd, error) || !watch_all (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

VtListener *
vt_listener_new (const char *address,
                 guint16 port,
                 VtListenerFunc func,
                 void *user_data,
                 GError **error)
{
  g_autoptr(VtListener) self = create (func, user_data);

  if (!vt_listener_may_take_descriptor ())
    {
      g_set_error (error, VT_ERROR, VT_ERROR_LIMIT, _ ("Too many connections and files are open"));
      return NULL;
    }
  if (!open_all (self, address, port, error) || !watch_all (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

guint16
vt_listener_get_port (VtListener *self)
{
  return self->port;
}

const char *
vt_listener_get_address (VtListener *self)
{
  return self->address;
}

void
vt_listener_set_max_rate (VtListener *self, unsigned int rate)
{
  self->max_rate = rate;
}

void
vt_listener_set_held (VtListener *self, gboolean held)
{
  set_obstacle (self, HELD_BY_OWNER, held);
}

void
vt_listener_free (VtListener *self)
{
  self->func = NULL;
  g_clear_pointer (&self->retry, vt_timer_free);
  close_sockets (self);
  listener_unref (self);
}

guint64
vt_listener_get_n_pauses (VtListenerPause reason)
{
  return n_pauses[reason];
}
