/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-arrivals-private.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vt-poller-private.h"
#include "vt-proxy-reader-private.h"
#include "vt-socket-private.h"

/* A proxy sends its header with the first packet, so whoever waits is slow or means harm. */
#define PATIENCE (5 * G_TIME_SPAN_SECOND)
#define MAX_WAITING 256

struct _VtArrivals {
  VtPoller *poller; /* owned */
  VtClock *clock;   /* owned */
  GQueue waiting;   /* of arrivals, by their own links, the first that came first */
  VtArrivalsFunc func;
  VtArrivalsRefusedFunc refused;
  void *user_data; /* the caller's */
};

typedef struct {
  GList link;             /* in `waiting` */
  VtArrivals *arrivals;   /* not owned, its owner */
  int fd;                 /* owned, -1 once it was handed on */
  GSocketAddress *remote; /* owned */
  GSocketAddress *local;  /* owned, nullable */
  GByteArray *header;     /* owned: what was read of it; NULL: nothing yet */
  VtWatch *watch;         /* owned, NULL before it waits */
  VtTimer *timer;         /* owned, NULL before it waits */
} Arrival;

static void
arrival_free (Arrival *self)
{
  g_queue_unlink (&self->arrivals->waiting, &self->link);
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->timer, vt_timer_free);
  if (self->fd >= 0)
    {
      vt_socket_arm_reset (self->fd);
      close (self->fd);
    }
  g_clear_pointer (&self->header, g_byte_array_unref);
  g_object_unref (self->remote);
  g_clear_object (&self->local);
  g_free (self);
}

static void
refuse (Arrival *self, const char *reason)
{
  g_autofree char *who = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (self->remote));

  g_debug ("%s was turned away: %s", who, reason);
  self->arrivals->refused (self->arrivals->user_data);
  arrival_free (self);
}

/* The last thing of a dispatch: whoever is called may free everything. */
static void
hand_on (Arrival *self, const VtProxySource *source)
{
  VtArrivals *arrivals = self->arrivals;
  g_autoptr(GSocketAddress) remote = g_object_ref (self->remote);
  g_autoptr(GSocketAddress) local = NULL;
  int fd = self->fd;

  g_set_object (&local, self->local);
  if (source->source != NULL)
    {
      g_set_object (&remote, source->source);
      g_set_object (&local, source->destination);
    }
  self->fd = -1;
  arrival_free (self);
  arrivals->func (fd, remote, local, arrivals->user_data);
}

static ssize_t
receive (int fd, uint8_t *data, size_t length, int flags)
{
  ssize_t n;

  do
    n = recv (fd, data, length, MSG_DONTWAIT | flags);
  while (n < 0 && errno == EINTR);
  return n;
}

/* How far it has come: with what was looked at, none of which is taken yet. */
static VtProxyReaderResult
judge (Arrival *self, const uint8_t *data, size_t length, VtProxySource *source)
{
  if (self->header == NULL)
    return vt_proxy_reader_read (data, length, source);
  g_byte_array_append (self->header, data, (unsigned int) length);
  return vt_proxy_reader_read (self->header->data, self->header->len, source);
}

/* What a header that is not whole yet consists of is all taken, so that the poller is silent until
 * more comes; of what holds its end, all up to there. Neither can be less than was looked at. */
static gboolean
take (Arrival *self, uint8_t *data, size_t length)
{
  return receive (self->fd, data, length, 0) == (ssize_t) length;
}

static void
keep (Arrival *self, const uint8_t *data, size_t length)
{
  if (self->header != NULL)
    return; /* judge () has */
  self->header = g_byte_array_new ();
  g_byte_array_append (self->header, data, (unsigned int) length);
}

/* TRUE if it goes on waiting; otherwise it is gone, and the arrivals may be. */
static gboolean
look (Arrival *self)
{
  uint8_t data[VT_PROXY_READER_MAX_BYTES];
  size_t had = self->header != NULL ? self->header->len : 0;
  ssize_t n = receive (self->fd, data, sizeof data - had, MSG_PEEK);
  g_auto(VtProxySource) source = { 0 };

  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return TRUE;
  if (n <= 0)
    {
      refuse (self, "it left before it had said a PROXY header");
      return FALSE;
    }
  switch (judge (self, data, (size_t) n, &source))
    {
    case VT_PROXY_READER_MORE:
      keep (self, data, (size_t) n);
      if (take (self, data, (size_t) n))
        return TRUE;
      break;
    case VT_PROXY_READER_DONE:
      if (!take (self, data, source.length - had))
        break;
      hand_on (self, &source);
      return FALSE;
    case VT_PROXY_READER_BAD:
    default:
      break;
    }
  refuse (self, "what it said is no PROXY header");
  return FALSE;
}

static void
readable_cb (GIOCondition condition, void *user_data)
{
  look (user_data);
}

static void
patience_cb (void *user_data)
{
  refuse (user_data, "it has said no PROXY header in time");
}

static void
wait_for_more (Arrival *self)
{
  VtArrivals *arrivals = self->arrivals;

  self->watch = vt_watch_new (arrivals->poller, self->fd, G_IO_IN, readable_cb, self, NULL);
  if (self->watch == NULL)
    {
      refuse (self, "it cannot be watched");
      return;
    }
  self->timer = vt_timer_new (arrivals->clock, "PROXY header", patience_cb, self);
  vt_timer_start (self->timer, PATIENCE);
}

void
vt_arrivals_add (VtArrivals *self, int fd, GSocketAddress *remote, GSocketAddress *local)
{
  Arrival *arrival = g_new0 (Arrival, 1);

  arrival->link.data = arrival;
  arrival->arrivals = self;
  arrival->fd = fd;
  arrival->remote = g_object_ref (remote);
  g_set_object (&arrival->local, local);
  g_queue_push_tail_link (&self->waiting, &arrival->link);
  if (!look (arrival))
    return;
  wait_for_more (arrival);
  /* Those who only hold a place make room, and not those who come. */
  if (self->waiting.length > MAX_WAITING)
    refuse (g_queue_peek_head (&self->waiting), "too many wait");
}

VtArrivals *
vt_arrivals_new (VtClock *clock,
                 VtArrivalsFunc func,
                 VtArrivalsRefusedFunc refused,
                 void *user_data)
{
  VtArrivals *self = g_new0 (VtArrivals, 1);

  self->poller = vt_poller_get (NULL);
  self->clock = clock != NULL ? vt_clock_ref (clock) : vt_clock_get (NULL);
  self->func = func;
  self->refused = refused;
  self->user_data = user_data;
  g_queue_init (&self->waiting);
  return self;
}

void
vt_arrivals_free (VtArrivals *self)
{
  while (!g_queue_is_empty (&self->waiting))
    arrival_free (g_queue_peek_head (&self->waiting));
  vt_poller_unref (self->poller);
  vt_clock_unref (self->clock);
  g_free (self);
}

unsigned int
vt_arrivals_get_n_waiting (VtArrivals *self)
{
  return self->waiting.length;
}
