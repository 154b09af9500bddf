/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-host-front-private.h"

#include <string.h>
#include <unistd.h>

#include "vt-arrivals-private.h"
#include "vt-client-hello-private.h"
#include "vt-host-name-private.h"
#include "vt-http-relay-private.h"
#include "vt-listener-private.h"
#include "vt-local-end-private.h"
#include "vt-poller-private.h"
#include "vt-socket-private.h"

#define MAX_WAITING 1000
/* Of both: 10 s and 16 KiB are for whatever comes first. */
#define DEADLINE VT_HTTP_RELAY_HEAD_DEADLINE
#define MAX_BEGUN VT_HTTP_RELAY_MAX_HEAD

struct _VtHostFront {
  const VtHostFrontHandlers *handlers; /* static */
  void *user_data;                     /* the caller's */
  VtPoller *poller;                    /* owned */
  VtClock *clock;                      /* owned */
  GPtrArray *doors;                    /* owned, of Door */
  GArray *ports;                       /* owned, of guint16 */
  unsigned int max_rate;               /* users a second, of each port; 0: any */
  GQueue waiting;                      /* of guests without a stream, who waits longest first */
  GQueue served;                       /* of guests that speak HTTP, and have one */
};

/* One of the ports. */
typedef struct {
  VtHostFront *front;   /* not owned, its owner */
  VtListener *listener; /* owned, NULL before it is open */
  VtArrivals *arrivals; /* owned, NULL unless users come with a PROXY header */
} Door;

/* A user's connection: until it has shown what it speaks, and then as long as that is HTTP. */
typedef struct {
  GList link;             /* in either queue */
  VtHostFront *front;     /* not owned */
  GSocketAddress *remote; /* owned */
  GSocketAddress *local;  /* owned */
  gint64 arrived;
  gboolean is_served;

  VtHttpRelay *relay; /* owned; NULL before it speaks HTTP, when all of the following are there */
  int fd;             /* owned, -1 once it was given away */
  VtWatch *watch;     /* owned */
  VtTimer *timer;     /* owned */
  GByteArray *begun;  /* owned */
} Guest;

/* Without the descriptor: the caller takes it. */
static int
guest_stop_reading (Guest *self)
{
  int fd = self->fd;

  self->fd = -1;
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->timer, vt_timer_free);
  return fd;
}

static void
guest_free (Guest *self)
{
  int fd = guest_stop_reading (self);

  g_queue_unlink (self->is_served ? &self->front->served : &self->front->waiting, &self->link);
  if (fd >= 0)
    {
      vt_socket_arm_reset (fd);
      close (fd);
    }
  g_clear_pointer (&self->relay, vt_http_relay_free);
  g_clear_pointer (&self->begun, g_byte_array_unref);
  g_object_unref (self->remote);
  g_object_unref (self->local);
  g_free (self);
}

static void
make_room (VtHostFront *self)
{
  if (self->waiting.length > MAX_WAITING)
    guest_free (g_queue_peek_head (&self->waiting));
}

static VtForward *
find_cb (const char *host, void *user_data)
{
  Guest *self = user_data;

  return self->front->handlers->find (host, self->front->user_data);
}

static VtStream *
open_cb (VtHttpRelay *relay, VtForward *forward, GError **error, void *user_data)
{
  Guest *self = user_data;

  return self->front->handlers->open (forward, self->remote, self->local, error,
                                      self->front->user_data);
}

static void
routed_cb (VtHttpRelay *relay, gboolean routed, void *user_data)
{
  Guest *self = user_data;
  VtHostFront *front = self->front;

  g_queue_unlink (self->is_served ? &front->served : &front->waiting, &self->link);
  self->is_served = routed;
  g_queue_push_tail_link (routed ? &front->served : &front->waiting, &self->link);
  make_room (front);
}

static void
finished_cb (VtHttpRelay *relay, void *user_data)
{
  guest_free (user_data);
}

static const VtHttpRelayHandlers relay_handlers = {
  .find = find_cb,
  .open = open_cb,
  .routed = routed_cb,
  .finished = finished_cb,
};

static void
speak_http (Guest *self)
{
  gint64 left = self->arrived + DEADLINE - vt_clock_get_time (self->front->clock);
  g_autoptr(GByteArray) begun = g_steal_pointer (&self->begun);
  g_autoptr(GError) error = NULL;
  int fd = guest_stop_reading (self);

  self->relay = vt_http_relay_new (fd, begun, &relay_handlers, self, &error);
  if (self->relay != NULL)
    {
      vt_http_relay_start (self->relay, MAX (left, 0));
      return;
    }
  g_debug ("A connection could not be watched: %s", error->message);
  guest_free (self);
}

static void
ignore_cb (GIOCondition condition, void *user_data)
{
}

/* A fatal alert, and an end in order, so that it arrives. */
static void
refuse_tls (Guest *self)
{
  int fd = guest_stop_reading (self);
  VtLocalEnd *end = vt_local_end_new_for_fd (fd, NULL, G_IO_IN, ignore_cb, NULL, NULL);

  if (end != NULL)
    {
      vt_local_end_write (end, VT_CLIENT_HELLO_ALERT, VT_CLIENT_HELLO_N_ALERT, NULL);
      vt_local_end_close (end);
    }
  guest_free (self);
}

static void
pass_tls (Guest *self, const char *name)
{
  VtHostFront *front = self->front;
  g_autofree char *host = vt_host_name_from_authority (name, strlen (name));
  VtForward *forward = NULL;
  g_autoptr(GSocketAddress) remote = NULL;
  g_autoptr(GSocketAddress) local = NULL;
  g_autoptr(GByteArray) begun = NULL;
  int fd;

  if (host != NULL && strchr (name, ':') == NULL)
    forward = front->handlers->find (host, front->user_data);
  if (forward == NULL)
    {
      refuse_tls (self);
      return;
    }
  remote = g_object_ref (self->remote);
  local = g_object_ref (self->local);
  begun = g_steal_pointer (&self->begun);
  fd = guest_stop_reading (self);
  guest_free (self);
  front->handlers->pass (forward, fd, remote, local, begun, front->user_data);
}

static void
read_hello (Guest *self)
{
  g_autofree char *name = NULL;

  switch (vt_client_hello_read (self->begun->data, self->begun->len, &name))
    {
    case VT_CLIENT_HELLO_NAMED:
      pass_tls (self, name);
      break;
    case VT_CLIENT_HELLO_UNNAMED:
      refuse_tls (self);
      break;
    case VT_CLIENT_HELLO_MORE:
      if (self->begun->len >= MAX_BEGUN)
        guest_free (self);
      break;
    case VT_CLIENT_HELLO_BROKEN:
    default:
      guest_free (self);
    }
}

static void
readable_cb (GIOCondition condition, void *user_data)
{
  Guest *self = user_data;
  g_autoptr(GError) error = NULL;
  uint8_t buffer[MAX_BEGUN];
  gssize n = vt_socket_read (self->fd, buffer, MAX_BEGUN - self->begun->len, &error);

  if (n < 0 && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    return;
  if (n <= 0)
    {
      guest_free (self);
      return;
    }
  g_byte_array_append (self->begun, buffer, (unsigned int) n);
  if (self->begun->data[0] == VT_CLIENT_HELLO_FIRST)
    read_hello (self);
  else
    speak_http (self);
}

static void
timeout_cb (void *user_data)
{
  guest_free (user_data);
}

void
vt_host_front_add (VtHostFront *self, int fd, GSocketAddress *remote, GSocketAddress *local)
{
  g_autoptr(GError) error = NULL;
  Guest *guest = g_new0 (Guest, 1);

  guest->link.data = guest;
  guest->front = self;
  guest->remote = g_object_ref (remote);
  guest->local = g_object_ref (local);
  guest->arrived = vt_clock_get_time (self->clock);
  guest->fd = fd;
  guest->begun = g_byte_array_new ();
  guest->timer = vt_timer_new (self->clock, "host front", timeout_cb, guest);
  g_queue_push_tail_link (&self->waiting, &guest->link);
  guest->watch = vt_watch_new (self->poller, fd, G_IO_IN, readable_cb, guest, &error);
  if (guest->watch == NULL)
    {
      g_debug ("A connection could not be watched: %s", error->message);
      guest_free (guest);
      return;
    }
  vt_timer_start (guest->timer, DEADLINE);
  make_room (self);
}

static void
known_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Door *door = user_data;

  vt_host_front_add (door->front, fd, remote, local);
}

static void
refused_cb (void *user_data)
{
  VtHostFront *self = ((Door *) user_data)->front;

  self->handlers->header_refused (self->user_data);
}

static void
accepted_cb (int fd, GSocketAddress *remote, GSocketAddress *local, void *user_data)
{
  Door *door = user_data;

  if (local == NULL)
    close (fd);
  else if (door->arrivals != NULL)
    vt_arrivals_add (door->arrivals, fd, remote, local);
  else
    known_cb (fd, remote, local, door);
}

static void
door_free (void *data)
{
  Door *door = data;

  g_clear_pointer (&door->listener, vt_listener_free);
  g_clear_pointer (&door->arrivals, vt_arrivals_free);
  g_free (door);
}

VtHostFront *
vt_host_front_new (const VtHostFrontHandlers *handlers, void *user_data)
{
  VtHostFront *self = g_new0 (VtHostFront, 1);

  self->handlers = handlers;
  self->user_data = user_data;
  self->poller = vt_poller_get (NULL);
  self->clock = vt_clock_get (NULL);
  self->doors = g_ptr_array_new_with_free_func (door_free);
  self->ports = g_array_new (FALSE, FALSE, sizeof (guint16));
  return self;
}

void
vt_host_front_free (VtHostFront *self)
{
  vt_host_front_stop (self);
  while (!g_queue_is_empty (&self->served))
    guest_free (g_queue_peek_head (&self->served));
  g_ptr_array_unref (self->doors);
  g_array_unref (self->ports);
  vt_poller_unref (self->poller);
  vt_clock_unref (self->clock);
  g_free (self);
}

gboolean
vt_host_front_listen (VtHostFront *self, const char *address, guint16 port, GError **error)
{
  Door *door = g_new0 (Door, 1);
  guint16 bound;

  door->front = self;
  door->listener = vt_listener_new (address, port, accepted_cb, door, error);
  if (door->listener == NULL)
    {
      door_free (door);
      return FALSE;
    }
  vt_listener_set_max_rate (door->listener, self->max_rate);
  bound = vt_listener_get_port (door->listener);
  if (self->handlers->expects_proxy (bound, self->user_data))
    door->arrivals = vt_arrivals_new (self->clock, known_cb, refused_cb, door);
  g_ptr_array_add (self->doors, door);
  g_array_append_val (self->ports, bound);
  return TRUE;
}

void
vt_host_front_set_max_rate (VtHostFront *self, unsigned int max_rate)
{
  self->max_rate = max_rate;
  for (unsigned int i = 0; i < self->doors->len; i++)
    {
      Door *door = self->doors->pdata[i];

      vt_listener_set_max_rate (door->listener, max_rate);
    }
}

GArray *
vt_host_front_get_ports (VtHostFront *self)
{
  return self->ports;
}

void
vt_host_front_forget (VtHostFront *self, VtForward *forward)
{
  GList *next;

  for (GList *link = self->served.head; link != NULL; link = next)
    {
      Guest *guest = link->data;

      next = link->next;
      vt_http_relay_forget (guest->relay, forward);
    }
}

void
vt_host_front_stop (VtHostFront *self)
{
  g_ptr_array_set_size (self->doors, 0);
  g_array_set_size (self->ports, 0);
  while (!g_queue_is_empty (&self->waiting))
    guest_free (g_queue_peek_head (&self->waiting));
}
