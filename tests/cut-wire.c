/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "cut-wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws-pair.h"

/* Bytes that one step carries at most. */
#define STEP 4096

typedef struct {
  int fd; /* owned: its other end is a side's; -1 once it was closed */
  void *tag;
  gboolean held;       /* nothing is carried to it */
  uint8_t bytes[STEP]; /* on their way to it */
  size_t n_bytes;
} Side;

typedef struct {
  GSource source;
  CutWire *wire; /* not owned */
} Carrier;

struct _CutWire {
  GSource *carrier; /* owned, NULL once it was cut */
  Side sides[2];    /* by the direction towards it */
  guint64 carried;
  guint64 cut_at;
};

/* What was read is lost if it is cut before that has gone on. */
static void
take (CutWire *self, Side *from, Side *to)
{
  guint64 left = self->cut_at - self->carried;
  ssize_t n;

  if (to->n_bytes > 0 || to->held || from->fd < 0)
    return;
  n = recv (from->fd, to->bytes, MIN (STEP, left), MSG_DONTWAIT);
  if (n > 0)
    to->n_bytes = (size_t) n;
  else if (n == 0 || errno != EAGAIN)
    cut_wire_cut (self);
}

static void
give (CutWire *self, Side *to)
{
  size_t length = (size_t) MIN ((guint64) to->n_bytes, self->cut_at - self->carried);
  ssize_t n = to->fd < 0 || to->held || length == 0
                  ? 0
                  : send (to->fd, to->bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

  if (n <= 0)
    return;
  to->n_bytes -= (size_t) n;
  memmove (to->bytes, to->bytes + n, to->n_bytes);
  self->carried += (guint64) n;
}

static void
set_conditions (CutWire *self)
{
  for (unsigned int i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i], *other = &self->sides[!i];
      GIOCondition condition = 0;

      if (side->fd < 0)
        continue;
      if (other->n_bytes == 0 && !other->held)
        condition |= G_IO_IN;
      if (side->n_bytes > 0 && !side->held)
        condition |= G_IO_OUT;
      g_source_modify_unix_fd (self->carrier, side->tag, condition);
    }
}

static void
close_side (CutWire *self, Side *side)
{
  if (side->fd < 0)
    return;
  if (self->carrier != NULL)
    g_source_remove_unix_fd (self->carrier, side->tag);
  close (side->fd);
  side->fd = -1;
}

/* An end of which nothing is read any more would be reported for ever. */
static void
note_end (CutWire *self, Side *side, Side *other)
{
  if (side->fd >= 0 && other->held
      && (g_source_query_unix_fd (self->carrier, side->tag) & (G_IO_HUP | G_IO_ERR)))
    close_side (self, side);
}

static gboolean
carrier_dispatch (GSource *source, GSourceFunc callback, void *user_data)
{
  CutWire *self = ((Carrier *) source)->wire;

  note_end (self, &self->sides[0], &self->sides[1]);
  note_end (self, &self->sides[1], &self->sides[0]);
  for (unsigned int i = 0; i < 2 && self->carrier != NULL; i++)
    {
      take (self, &self->sides[!i], &self->sides[i]);
      if (self->carrier != NULL)
        give (self, &self->sides[i]);
      if (self->carrier != NULL && self->carried == self->cut_at)
        cut_wire_cut (self);
    }
  if (self->carrier != NULL)
    set_conditions (self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs carrier_funcs = { .dispatch = carrier_dispatch };

/* What the kernel holds cannot be waited for. */
static GIOStream *
new_stream (int *fd)
{
  const int small = 8192;
  GIOStream *stream = ws_stream_to_fd (fd);
  g_autoptr(GSocket) socket = vt_gate_find_socket (stream);

  setsockopt (g_socket_get_fd (socket), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  return stream;
}

CutWire *
cut_wire_new (GIOStream **client, GIOStream **server)
{
  CutWire *self = g_new0 (CutWire, 1);

  self->cut_at = G_MAXUINT64;
  *client = new_stream (&self->sides[WIRE_TO_CLIENT].fd);
  *server = new_stream (&self->sides[WIRE_TO_SERVER].fd);
  self->carrier = g_source_new (&carrier_funcs, sizeof (Carrier));
  ((Carrier *) self->carrier)->wire = self;
  for (unsigned int i = 0; i < 2; i++)
    self->sides[i].tag = g_source_add_unix_fd (self->carrier, self->sides[i].fd, G_IO_IN);
  g_source_attach (self->carrier, NULL);
  return self;
}

void
cut_wire_free (CutWire *self)
{
  cut_wire_cut (self);
  g_free (self);
}

void
cut_wire_cut (CutWire *self)
{
  if (self->carrier != NULL)
    g_source_destroy (self->carrier);
  g_clear_pointer (&self->carrier, g_source_unref);
  close_side (self, &self->sides[WIRE_TO_CLIENT]);
  close_side (self, &self->sides[WIRE_TO_SERVER]);
}

void
cut_wire_cut_client (CutWire *self)
{
  if (self->carrier == NULL)
    return;
  self->sides[WIRE_TO_CLIENT].held = self->sides[WIRE_TO_SERVER].held = TRUE;
  close_side (self, &self->sides[WIRE_TO_CLIENT]);
  set_conditions (self);
}

void
cut_wire_cut_after (CutWire *self, guint64 n_bytes)
{
  self->cut_at = self->carried + n_bytes;
  if (n_bytes == 0)
    cut_wire_cut (self);
}

gboolean
cut_wire_is_cut (CutWire *self)
{
  return self->carrier == NULL || self->sides[WIRE_TO_CLIENT].fd < 0;
}

void
cut_wire_hold (CutWire *self, WireDirection direction, gboolean held)
{
  self->sides[direction].held = held;
  if (self->carrier != NULL)
    set_conditions (self);
}

guint64
cut_wire_get_carried (CutWire *self)
{
  return self->carried;
}
