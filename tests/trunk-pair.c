/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "trunk-pair.h"

#include "mux-wire.h"
#include "vt-mux-internal-private.h"

static void
talker_free (void *data)
{
  Talker *self = data;

  if (self->stream != NULL)
    vt_mux_stream_set_handlers (self->stream, NULL, NULL);
  g_clear_pointer (&self->stream, vt_mux_stream_unref);
  g_clear_error (&self->error);
  g_free (self);
}

static void
write_more (Talker *self)
{
  while (self->written < self->to_write)
    {
      size_t space;
      uint8_t *place = vt_mux_stream_begin_write (self->stream, &space);

      if (place == NULL)
        return;
      space = (size_t) MIN ((guint64) space, self->to_write - self->written);
      for (size_t i = 0; i < space; i++)
        place[i] = pattern_at (self->seed, self->written + i);
      self->written += space;
      vt_mux_stream_end_write (self->stream, space);
    }
}

static void
opened_cb (VtMuxStream *stream, void *user_data)
{
}

/* Nothing is missing, and nothing comes twice. */
static void
readable_cb (VtMuxStream *stream, void *user_data)
{
  Talker *self = user_data;
  unsigned int seed = self->seed ^ 1;
  const uint8_t *data;
  size_t length;

  while ((data = vt_mux_stream_peek (stream, &length)) != NULL)
    {
      for (size_t i = 0; i < length; i++)
        if (data[i] != pattern_at (seed, self->received + i))
          g_error ("Byte %" G_GUINT64_FORMAT " differs", self->received + i);
      self->received += length;
      vt_mux_stream_consume (stream, length);
    }
}

static void
writable_cb (VtMuxStream *stream, void *user_data)
{
  write_more (user_data);
}

static void
closed_cb (VtMuxStream *stream, const GError *error, void *user_data)
{
  Talker *self = user_data;

  g_assert_false (self->ended);
  self->ended = TRUE;
  self->error = error != NULL ? g_error_copy (error) : NULL;
}

/* Whoever writes on the same stream at the other side has the seed beside it. */
static Talker *
talker_new (TrunkPair *pair, VtMuxStream *stream, gboolean near)
{
  static const VtMuxStreamHandlers handlers = {
    .opened = opened_cb,
    .readable = readable_cb,
    .writable = writable_cb,
    .closed = closed_cb,
  };
  Talker *self = g_new0 (Talker, 1);

  self->pair = pair;
  self->stream = vt_mux_stream_ref (stream);
  self->seed = 2 * vt_mux_stream_get_id (stream) + (near ? 1 : 0);
  g_ptr_array_add (near ? pair->near : pair->far, self);
  vt_mux_stream_set_handlers (stream, &handlers, self);
  return self;
}

void
talker_write (Talker *self, guint64 length)
{
  self->to_write += length;
  write_more (self);
}

static gboolean
has_all (const Talker *from, const Talker *to)
{
  return from->written == from->to_write && to->received == from->to_write;
}

gboolean
talkers_agree (TrunkPair *self)
{
  if (self->near->len != self->far->len)
    return FALSE;
  for (unsigned int i = 0; i < self->far->len; i++)
    if (!has_all (self->far->pdata[i], self->near->pdata[i])
        || !has_all (self->near->pdata[i], self->far->pdata[i]))
      return FALSE;
  return TRUE;
}

static void
take_cb (End *end, VtMuxStream *stream, void *user_data)
{
  TrunkPair *self = user_data;

  g_assert_cmpuint (vt_mux_stream_get_id (stream), ==, self->near->len + 1);
  talker_new (self, stream, TRUE);
  vt_mux_stream_accept (stream);
}

static void
begin (TrunkPair *self, VtMuxRole role, GIOStream *stream, gint64 resume_timeout, size_t max_buffer)
{
  End *end = role == VT_MUX_CLIENT ? &self->client : &self->server;
  VtTrunkConfig config;

  end_config_init (&config, role, 2);
  config.resume_timeout = resume_timeout;
  config.mux.max_buffer = max_buffer > 0 ? max_buffer : config.mux.max_buffer;
  vt_mux_config_get_limits (&config.mux, &config.peer);
  end_begin (end, stream, &config);
}

void
trunk_pair_init (TrunkPair *self, gint64 resume_timeout, size_t max_buffer)
{
  g_autoptr(GIOStream) client = NULL;
  g_autoptr(GIOStream) server = NULL;

  *self = (TrunkPair){ 0 };
  g_assert_true (vt_credentials_init (&self->credentials, NULL));
  self->wires = g_ptr_array_new_with_free_func ((GDestroyNotify) cut_wire_free);
  self->near = g_ptr_array_new_with_free_func (talker_free);
  self->far = g_ptr_array_new_with_free_func (talker_free);
  self->client.take = take_cb;
  self->client.user_data = self;
  self->wire = cut_wire_new (&client, &server);
  begin (self, VT_MUX_CLIENT, client, resume_timeout, max_buffer);
  begin (self, VT_MUX_SERVER, server, resume_timeout, max_buffer);
}

static void
drop_greeters (TrunkPair *self)
{
  g_clear_pointer (&self->calling, vt_greeter_free);
  g_clear_pointer (&self->called, vt_greeter_free);
}

void
trunk_pair_clear (TrunkPair *self)
{
  drop_greeters (self);
  end_clear (&self->client);
  end_clear (&self->server);
  g_ptr_array_unref (self->near);
  g_ptr_array_unref (self->far);
  cut_wire_free (self->wire);
  g_ptr_array_unref (self->wires);
  vt_credentials_clear (&self->credentials);
}

void
trunk_pair_listen (TrunkPair *self)
{
  vt_mux_listen (vt_trunk_get_mux (self->client.trunk), 1, &(VtMuxListen){ .port = 9000 });
  ws_wait (self->client.port == 9000);
}

Talker *
trunk_pair_open (TrunkPair *self)
{
  g_autoptr(GError) error = NULL;
  VtMuxStream *stream =
      vt_mux_open_stream (vt_trunk_get_mux (self->server.trunk), 1, NULL, NULL, &error);

  g_assert_no_error (error);
  return talker_new (self, stream, FALSE);
}

gboolean
end_is_suspended (End *self)
{
  return self->trunk != NULL && vt_trunk_is_suspended (self->trunk);
}

size_t
end_get_kept (End *self)
{
  return vt_mux_get_kept (vt_trunk_get_mux (self->trunk));
}

void
trunk_pair_cut (TrunkPair *self)
{
  cut_wire_cut (self->wire);
  ws_wait (end_is_suspended (&self->client) && end_is_suspended (&self->server));
}

/* The server looks at what it has when the older link is gone. */
static void
called_cb (VtGreeter *greeter, const VtControl *hello, void *user_data)
{
  TrunkPair *self = user_data;
  VtTrunk *trunk = self->server.trunk;
  VtResumption resumption = { .credentials = &self->credentials };
  g_autoptr(GBytes) welcome = NULL;
  VtLink *link = vt_greeter_take_link (greeter);

  g_clear_pointer (&self->called, vt_greeter_free);
  g_assert_true (vt_credentials_match (&self->credentials, hello->session, hello->secret));
  g_assert_cmpuint (hello->attempt, ==, self->attempt);
  self->n_repeated += !vt_trunk_is_suspended (trunk);
  resumption.received = vt_trunk_prepare_resume (trunk);
  g_assert_true (vt_trunk_is_suspended (trunk));
  welcome = vt_greeting_new_welcome (&hello->limits, &resumption, TRUE, 60);
  vt_link_send (link, welcome, TRUE);
  vt_trunk_resume (trunk, link, hello);
}

static void
welcomed_cb (VtGreeter *greeter, const VtControl *welcome, void *user_data)
{
  TrunkPair *self = user_data;
  VtLink *link = vt_greeter_take_link (greeter);

  g_clear_pointer (&self->calling, vt_greeter_free);
  g_assert_true (welcome->resumed);
  self->n_resumed++;
  vt_trunk_resume (self->client.trunk, link, welcome);
}

static void
failed_cb (VtGreeter *greeter, unsigned int code, const GError *error, void *user_data)
{
  TrunkPair *self = user_data;

  if (greeter == self->calling)
    g_clear_pointer (&self->calling, vt_greeter_free);
  else
    g_clear_pointer (&self->called, vt_greeter_free);
}

static VtGreeter *
new_greeter (TrunkPair *self, End *end, GIOStream *stream, GBytes *hello)
{
  const VtGreeterHandlers handlers = {
    .greeted = hello != NULL ? welcomed_cb : called_cb,
    .failed = failed_cb,
  };
  VtMuxRole role = hello != NULL ? VT_MUX_CLIENT : VT_MUX_SERVER;
  VtGate *gate;
  SoupWebsocketConnection *connection = end_new_connection (end, stream, role, &gate);

  return vt_greeter_new (connection, gate, hello, NULL, &handlers, self);
}

void
trunk_pair_call (TrunkPair *self)
{
  g_autoptr(GIOStream) client = NULL;
  g_autoptr(GIOStream) server = NULL;
  VtResumption resumption = { .credentials = &self->credentials };
  g_autoptr(GBytes) hello = NULL;
  VtControlLimits limits;
  VtMuxConfig config;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  vt_mux_config_get_limits (&config, &limits);
  drop_greeters (self);
  g_ptr_array_add (self->wires, self->wire);
  self->wire = cut_wire_new (&client, &server);
  resumption.received = vt_trunk_get_received (self->client.trunk);
  resumption.attempt = ++self->attempt;
  hello = vt_greeting_new_hello (&limits, &resumption);
  self->calling = new_greeter (self, &self->client, client, hello);
  self->called = new_greeter (self, &self->server, server, NULL);
}

gboolean
trunk_pair_is_calling (TrunkPair *self)
{
  return self->calling != NULL || self->called != NULL;
}

void
trunk_pair_resume (TrunkPair *self)
{
  trunk_pair_call (self);
  ws_wait (!trunk_pair_is_calling (self));
  g_assert_false (end_is_suspended (&self->client));
  g_assert_false (end_is_suspended (&self->server));
}
