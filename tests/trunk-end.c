/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "trunk-end.h"

/* l listen_ok, f listen_failed, s stream_opened, x a stream's closed, q listen_requested,
 * u unlistened, g going_away, z suspended, c closed. */
static void
hear (End *self, char letter)
{
  g_assert_nonnull (self->trunk);
  g_assert_false (end_has_heard (self, 'c'));
  g_string_append_c (self->heard, letter);
  if (self->close_in == letter)
    vt_trunk_close (self->trunk, 1000, "done");
  if (self->free_in == letter)
    g_clear_pointer (&self->trunk, vt_trunk_free);
}

static void
listen_ok_cb (guint32 id,
              const char *address,
              guint16 port,
              const char *url,
              gboolean confirmed,
              void *user_data)
{
  ((End *) user_data)->port = port;
  hear (user_data, 'l');
}

static void
listen_failed_cb (guint32 id, const GError *error, unsigned int retry_after, void *user_data)
{
  hear (user_data, 'f');
}

static void
stream_nothing_cb (VtMuxStream *stream, void *user_data)
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
  .opened = stream_nothing_cb,
  .readable = stream_nothing_cb,
  .writable = stream_nothing_cb,
  .closed = stream_closed_cb,
};

static void
let_stream_go (End *self)
{
  if (self->stream != NULL)
    vt_mux_stream_set_handlers (self->stream, NULL, NULL);
  g_clear_pointer (&self->stream, vt_mux_stream_unref);
}

void
end_take_stream (End *self, VtMuxStream *stream)
{
  let_stream_go (self);
  self->stream = vt_mux_stream_ref (stream);
  vt_mux_stream_set_handlers (stream, &stream_handlers, self);
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  End *self = user_data;

  self->listen_id = listen_id;
  if (self->take != NULL)
    self->take (self, stream, self->user_data);
  else
    end_take_stream (self, stream);
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
unlistened_cb (guint32 id, void *user_data)
{
  hear (user_data, 'u');
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  hear (user_data, 'g');
}

/* The session is there, and has no link. */
static void
suspended_cb (const GError *error, void *user_data)
{
  End *self = user_data;

  g_assert_true (error->domain == VT_ERROR);
  g_assert_true (vt_trunk_is_suspended (self->trunk));
  g_assert_cmpint (vt_trunk_get_remaining (self->trunk), >, 0);
  g_assert_nonnull (vt_trunk_get_mux (self->trunk));
  g_clear_error (&self->lost);
  self->lost = g_error_copy (error);
  hear (self, 'z');
}

static void
closed_cb (unsigned int code, const GError *error, void *user_data)
{
  End *self = user_data;

  g_assert_true (error == NULL || error->domain == VT_ERROR);
  g_assert_null (vt_trunk_get_mux (self->trunk));
  g_assert_false (vt_trunk_is_suspended (self->trunk));
  g_assert_cmpint (vt_trunk_get_remaining (self->trunk), ==, 0);
  self->code = code;
  self->error = error != NULL ? g_error_copy (error) : NULL;
  hear (self, 'c');
}

static const VtTrunkHandlers trunk_handlers = {
  .listen_ok = listen_ok_cb,
  .listen_failed = listen_failed_cb,
  .stream_opened = stream_opened_cb,
  .listen_requested = listen_requested_cb,
  .unlistened = unlistened_cb,
  .going_away = going_away_cb,
  .suspended = suspended_cb,
  .closed = closed_cb,
};

static void
gate_gone_cb (void *user_data, GObject *where_the_object_was)
{
  ((End *) user_data)->n_gates--;
}

SoupWebsocketConnection *
end_new_connection (End *self, GIOStream *stream, VtMuxRole role, VtGate **gate)
{
  *gate = vt_gate_new (stream);
  self->n_gates++;
  g_object_weak_ref (G_OBJECT (*gate), gate_gone_cb, self);
  return ws_new (G_IO_STREAM (*gate), role == VT_MUX_SERVER);
}

VtLink *
end_new_link (End *self, GIOStream *stream, VtMuxRole role)
{
  VtGate *gate;
  g_autoptr(SoupWebsocketConnection) connection = end_new_connection (self, stream, role, &gate);
  VtLink *link = vt_link_new (connection, gate, VT_TRUNK_MAX_MESSAGE (2), NULL, NULL);

  g_object_unref (gate);
  return link;
}

void
end_config_init (VtTrunkConfig *config, VtMuxRole role, unsigned int protocol)
{
  *config = (VtTrunkConfig){ 0 };
  vt_mux_config_init (&config->mux, role);
  config->mux.protocol = protocol;
  vt_mux_config_get_limits (&config->mux, &config->peer);
}

void
end_greeting_init (VtControl *greeting, guint64 received)
{
  VtTrunkConfig config;

  end_config_init (&config, VT_MUX_CLIENT, 2);
  *greeting = (VtControl){ .received = received, .limits = config.peer };
}

void
end_begin (End *self, GIOStream *stream, const VtTrunkConfig *config)
{
  VtGate *gate;
  g_autoptr(SoupWebsocketConnection) connection =
      end_new_connection (self, stream, config->mux.role, &gate);
  size_t max_message = VT_TRUNK_MAX_MESSAGE (config->mux.protocol);

  self->heard = g_string_new (NULL);
  self->trunk = vt_trunk_new (vt_link_new (connection, gate, max_message, NULL, NULL), config,
                              &trunk_handlers, self);
  g_object_unref (gate);
  g_assert_cmpuint (vt_trunk_get_protocol (self->trunk), ==, config->mux.protocol);
  g_assert_false (vt_trunk_is_suspended (self->trunk));
}

void
end_begin_role (End *self, GIOStream *stream, VtMuxRole role, unsigned int protocol)
{
  VtTrunkConfig config;

  end_config_init (&config, role, protocol);
  end_begin (self, stream, &config);
}

void
end_clear (End *self)
{
  if (self->heard == NULL)
    return;
  let_stream_go (self);
  g_clear_pointer (&self->trunk, vt_trunk_free);
  ws_wait (self->n_gates == 0);
  g_clear_error (&self->error);
  g_clear_error (&self->lost);
  g_string_free (self->heard, TRUE);
}

gboolean
end_has_heard (End *self, char letter)
{
  return strchr (self->heard->str, letter) != NULL;
}
