/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-error-private.h"
#include "vt-mux-stream-private.h"
#include "vt-trunk-private.h"
#include "ws-pair.h"

/* One end: a trunk, and what it told. */
typedef struct {
  VtTrunk *trunk;      /* owned, NULL once it was freed */
  VtGate *gate;        /* not owned, watched weakly */
  GString *heard;      /* owned, a letter for each thing that was told, in order */
  GError *error;       /* owned, of the end */
  VtMuxStream *stream; /* owned, the one that was opened */
  char free_in;        /* the letter of the event in which the trunk is freed */
  char close_in;       /* the same, in which it is closed */
  unsigned int port;
  guint32 listen_id; /* of the stream */
} End;

static inline void
hear (End *self, char letter)
{
  g_assert_nonnull (self->trunk);
  g_string_append_c (self->heard, letter);
  if (self->close_in == letter)
    vt_trunk_close (self->trunk, 1000, "done");
  if (self->free_in == letter)
    g_clear_pointer (&self->trunk, vt_trunk_free);
}

/* Once, and only in v2. */
static void
ready_cb (void *user_data)
{
  End *self = user_data;

  g_assert_cmpuint (vt_trunk_get_protocol (self->trunk), ==, 2);
  g_assert_true (vt_trunk_is_ready (self->trunk));
  g_assert_null (strchr (self->heard->str, 'r'));
  hear (self, 'r');
}

static void
listen_ok_cb (guint32 id, const char *address, guint16 port, gboolean confirmed, void *user_data)
{
  ((End *) user_data)->port = port;
  hear (user_data, 'l');
}

static void
stream_opened_stub_cb (VtMuxStream *stream, void *user_data)
{
}

static void
stream_closed_cb (VtMuxStream *stream, const GError *error, void *user_data)
{
  End *self = user_data;

  /* This comes from within the mux, so the trunk can be freed in it only if that waits. */
  if (self->trunk != NULL)
    hear (self, 'x');
}

static const VtMuxStreamHandlers stream_handlers = {
  .opened = stream_opened_stub_cb,
  .readable = stream_opened_stub_cb,
  .writable = stream_opened_stub_cb,
  .closed = stream_closed_cb,
};

static inline void
take_stream (End *self, VtMuxStream *stream)
{
  self->stream = vt_mux_stream_ref (stream);
  vt_mux_stream_set_handlers (stream, &stream_handlers, self);
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  End *self = user_data;

  self->listen_id = listen_id;
  take_stream (self, stream);
  hear (self, 's');
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  End *self = user_data;

  vt_mux_listen_accept (vt_trunk_get_mux (self->trunk), id, NULL, listen->port);
  hear (self, 'q');
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  hear (user_data, 'g');
}

static void
closed_cb (const GError *error, void *user_data)
{
  End *self = user_data;

  g_assert_null (vt_trunk_get_mux (self->trunk));
  self->error = error != NULL ? g_error_copy (error) : NULL;
  hear (self, 'c');
}

static inline void
end_begin (End *self,
           GIOStream *stream,
           VtMuxRole role,
           unsigned int protocol,
           gint64 ping_interval)
{
  const VtTrunkHandlers handlers = {
    .ready = ready_cb,
    .listen_ok = listen_ok_cb,
    .stream_opened = stream_opened_cb,
    .listen_requested = listen_requested_cb,
    .going_away = going_away_cb,
    .closed = closed_cb,
  };
  VtMuxConfig config;
  VtGate *gate = vt_gate_new (stream);

  vt_mux_config_init (&config, role);
  config.protocol = protocol;
  if (ping_interval > 0)
    config.ping_interval = config.ping_timeout = ping_interval;
  self->heard = g_string_new (NULL);
  g_set_weak_pointer (&self->gate, gate);
  self->trunk = vt_trunk_new (ws_new (G_IO_STREAM (gate), role == VT_MUX_SERVER), gate, &config,
                              &handlers, self);
  g_assert_cmpuint (vt_trunk_get_protocol (self->trunk), ==, protocol);
  g_assert_cmpint (vt_trunk_is_ready (self->trunk), ==, protocol == 1);
}

static inline void
end_clear (End *self)
{
  if (self->heard == NULL)
    return;
  g_clear_pointer (&self->trunk, vt_trunk_free);
  ws_wait (self->gate == NULL);
  g_clear_pointer (&self->stream, vt_mux_stream_unref);
  g_clear_error (&self->error);
  g_string_free (self->heard, TRUE);
}
