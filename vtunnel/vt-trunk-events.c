/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-trunk-struct-private.h"

/* Once a trunk is closing, its owner hears of nothing but the end. */
static gboolean
is_live (VtTrunk *self)
{
  return !self->freed && !self->closing;
}

static void
listen_ok_cb (guint32 id,
              const char *address,
              guint16 port,
              const char *url,
              gboolean confirmed,
              void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_ok != NULL)
    self->handlers.listen_ok (id, address, port, url, confirmed, self->user_data);
}

static void
listen_failed_cb (guint32 id, const GError *error, unsigned int retry_after, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_failed != NULL)
    self->handlers.listen_failed (id, error, retry_after, self->user_data);
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.stream_opened != NULL)
    self->handlers.stream_opened (stream, listen_id, self->user_data);
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.listen_requested != NULL)
    self->handlers.listen_requested (id, listen, self->user_data);
}

static void
unlistened_cb (guint32 id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.unlistened != NULL)
    self->handlers.unlistened (id, self->user_data);
}

static void
crowded_cb (gboolean crowded, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.crowded != NULL)
    self->handlers.crowded (crowded, self->user_data);
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.rtt_measured != NULL)
    self->handlers.rtt_measured (rtt, self->user_data);
}

static void
unlisten_done_cb (guint32 id, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.unlisten_done != NULL)
    self->handlers.unlisten_done (id, self->user_data);
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  VtTrunk *self = user_data;

  if (is_live (self) && self->handlers.going_away != NULL)
    self->handlers.going_away (reason, timeout, self->user_data);
}

void
vt_trunk_fill_mux_handlers (VtMuxHandlers *handlers)
{
  handlers->listen_ok = listen_ok_cb;
  handlers->listen_failed = listen_failed_cb;
  handlers->stream_opened = stream_opened_cb;
  handlers->listen_requested = listen_requested_cb;
  handlers->unlistened = unlistened_cb;
  handlers->crowded = crowded_cb;
  handlers->rtt_measured = rtt_measured_cb;
  handlers->unlisten_done = unlisten_done_cb;
  handlers->going_away = going_away_cb;
}
