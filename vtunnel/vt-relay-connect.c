/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-connect-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vt-clock-private.h"
#include "vt-poller-private.h"

/* How long an address may be silent when there is another one (RFC 8305, section 5). */
#define PATIENCE (250 * G_TIME_SPAN_MILLISECOND)

#define MAX_ADDRESSES 2

typedef struct {
  union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
  } native;
  socklen_t length;
} Address;

struct _VtRelayConnect {
  VtTarget *target; /* owned */
  Address addresses[MAX_ADDRESSES];
  unsigned int n_addresses;
  unsigned int n_tried;
  int fd;            /* owned, -1 while there is none */
  VtWatch *watch;    /* owned; NULL unless an address is waited for */
  VtTimer *patience; /* owned; NULL unless there was another address meanwhile */
  VtRelayConnectFunc func;
  void *user_data; /* the caller's */
};

static void
add_ip (VtRelayConnect *self, const char *host)
{
  Address *address = &self->addresses[self->n_addresses];
  guint16 port = htons (vt_target_get_port (self->target));

  if (inet_pton (AF_INET, host, &address->native.ipv4.sin_addr) == 1)
    {
      address->native.ipv4.sin_family = AF_INET;
      address->native.ipv4.sin_port = port;
      address->length = sizeof address->native.ipv4;
      self->n_addresses++;
    }
  else if (inet_pton (AF_INET6, host, &address->native.ipv6.sin6_addr) == 1)
    {
      address->native.ipv6.sin6_family = AF_INET6;
      address->native.ipv6.sin6_port = port;
      address->length = sizeof address->native.ipv6;
      self->n_addresses++;
    }
}

/* An abstract name begins with a NUL, and has none at its end. */
static void
add_path (VtRelayConnect *self, const char *path)
{
  Address *address = &self->addresses[self->n_addresses++];
  struct sockaddr_un *local = &address->native.local;

  local->sun_family = AF_UNIX;
  memcpy (local->sun_path, path, strlen (path));
  address->length = sizeof *local;
  if (path[0] != '@')
    return;
  local->sun_path[0] = '\0';
  address->length = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
}

/* "localhost" is never looked up (RFC 6761), and stands for both, in the order of GIO. */
static void
find_addresses (VtRelayConnect *self)
{
  const char *host = vt_target_get_host (self->target);

  if (host == NULL)
    add_path (self, vt_target_get_path (self->target));
  else if (g_ascii_strcasecmp (host, "localhost") == 0)
    {
      add_ip (self, "::1");
      add_ip (self, "127.0.0.1");
    }
  else
    add_ip (self, host);
}

static void
drop_socket (VtRelayConnect *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
succeed (VtRelayConnect *self)
{
  int fd = self->fd;

  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->patience, vt_timer_free);
  self->fd = -1;
  self->func (fd, NULL, self->user_data);
}

static void
fail (VtRelayConnect *self, int code)
{
  g_autofree char *text = vt_target_to_string (self->target);
  g_autoptr(GError) error = NULL;

  g_clear_pointer (&self->patience, vt_timer_free);
  error = g_error_new (G_IO_ERROR, g_io_error_from_errno (code), _ ("Could not connect to %s: %s"),
                       text, g_strerror (code));
  self->func (-1, error, self->user_data);
}

/* Gives what went wrong as errno says it, or 0. On this machine, a connection stands (or is
 * refused) when connect () has said that it will: asking again at once tells, and saves a watch and
 * a turn of the main loop. */
static int
open_socket (VtRelayConnect *self, const Address *address)
{
  self->fd = socket (address->native.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (self->fd < 0)
    return errno;
  if (connect (self->fd, &address->native.any, address->length) == 0)
    return 0;
  if (errno == EINPROGRESS && connect (self->fd, &address->native.any, address->length) == 0)
    return 0;
  return errno == EISCONN ? 0 : errno;
}

static void try_on (VtRelayConnect *self, int code);

static void
writable_cb (GIOCondition condition, void *user_data)
{
  VtRelayConnect *self = user_data;
  int code = 0;
  socklen_t length = sizeof code;

  if (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &code, &length) != 0)
    code = errno;
  if (code == 0)
    succeed (self);
  else
    try_on (self, code);
}

static void
impatient_cb (void *user_data)
{
  try_on (user_data, ETIMEDOUT);
}

static void
wait_for_another (VtRelayConnect *self)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  if (self->patience == NULL)
    self->patience = vt_timer_new (clock, "address is silent", impatient_cb, self);
  vt_timer_start (self->patience, PATIENCE);
}

/* FALSE if the socket cannot be watched. */
static gboolean
wait_for_answer (VtRelayConnect *self)
{
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);

  self->watch = vt_watch_new (poller, self->fd, G_IO_OUT, writable_cb, self, NULL);
  if (self->watch == NULL)
    return FALSE;
  if (self->n_tried < self->n_addresses)
    wait_for_another (self);
  else
    g_clear_pointer (&self->patience, vt_timer_free);
  return TRUE;
}

/* Tries one address after the other; `code` says what the last one came to. */
static void
try_on (VtRelayConnect *self, int code)
{
  while (self->n_tried < self->n_addresses)
    {
      drop_socket (self);
      code = open_socket (self, &self->addresses[self->n_tried++]);
      if (code == 0)
        {
          succeed (self);
          return;
        }
      if (code != EINPROGRESS && code != EALREADY)
        continue;
      if (wait_for_answer (self))
        return;
      code = ENOMEM;
    }
  fail (self, code);
}

VtRelayConnect *
vt_relay_connect_new (VtTarget *target, VtRelayConnectFunc func, void *user_data)
{
  VtRelayConnect *self = g_new0 (VtRelayConnect, 1);

  self->target = vt_target_ref (target);
  self->fd = -1;
  self->func = func;
  self->user_data = user_data;
  find_addresses (self);
  if (self->n_addresses > 0)
    return self;
  vt_relay_connect_free (self);
  return NULL;
}

void
vt_relay_connect_start (VtRelayConnect *self)
{
  try_on (self, 0);
}

void
vt_relay_connect_free (VtRelayConnect *self)
{
  drop_socket (self);
  g_clear_pointer (&self->patience, vt_timer_free);
  vt_target_unref (self->target);
  g_free (self);
}
