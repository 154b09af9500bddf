/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-mux-private.h"

#include <glib/gi18n-lib.h>

#include "vt-codec-binary-private.h"
#include "vt-error.h"
#include "vt-mux-internal-private.h"

/* Answers to what the other side asks go out past a full send queue. One that asks on and on and
 * does not read the answers is cut at the second mark; new streams are refused at the first. */
#define SEND_QUEUE_BUSY (1024 * 1024)
#define SEND_QUEUE_MAX (4 * 1024 * 1024)

/* Bytes that a stream leaves in what is kept, besides its data: a CREDIT, its end, and what keeping
 * them costs. Nobody is cut because all streams ended while there was no link. */
#define STREAM_TRACES 512

void
vt_mux_config_init (VtMuxConfig *config, VtMuxRole role)
{
  *config = (VtMuxConfig){
    .role = role,
    .protocol = 1,
    .ping_interval = 30 * G_TIME_SPAN_SECOND,
    .ping_timeout = 15 * G_TIME_SPAN_SECOND,
    .stall_timeout = 5 * 60 * G_TIME_SPAN_SECOND,
    .listen_grace = 3 * G_TIME_SPAN_SECOND,
    .max_buffer = 128 * 1024 * 1024,
    .max_message = VT_MUX_MAX_MESSAGE,
    .max_json_depth = VT_JSON_MAX_DEPTH,
    .max_window = VT_MUX_MAX_WINDOW,
    .max_streams = 8192,
    .max_opening = 1024,
    /* A client has 30 s to reach a target, and 5 s to answer in its place. */
    .opening_timeout = 45 * G_TIME_SPAN_SECOND,
    /* A server answers what the client asks for, which may be many ports at once. */
    .max_control_rate = role == VT_MUX_SERVER ? 1000 : 10000,
    .max_ping_rate = 100,
    /* A server passes on what users do, who are many. */
    .max_reset_rate = role == VT_MUX_SERVER ? 20000 : 0,
  };
}

void
vt_mux_config_get_limits (const VtMuxConfig *config, VtControlLimits *limits)
{
  size_t share = config->max_buffer / MAX (config->max_streams, 1);
  guint32 max_message = (guint32) MIN (config->max_message, VT_CONTROL_OUR_MESSAGE);

  *limits = (VtControlLimits){
    .window = (guint32) CLAMP (share, 1, VT_CONTROL_WINDOW),
    .max_frame = MIN (VT_CONTROL_OUR_FRAME, max_message - VT_BINARY_HEADER),
    .max_message = max_message,
  };
}

static void
turns_cb (void *user_data)
{
  vt_mux_serve_turns (user_data);
}

/* The owner may free the mux in it. */
static void
failure_cb (void *user_data)
{
  VtMux *self = user_data;
  g_autoptr(GError) error = g_error_copy (self->failure);

  self->handlers.failed (error, self->user_data);
}

VtMux *
vt_mux_new (const VtMuxConfig *config,
            VtClock *clock,
            const VtMuxHandlers *handlers,
            void *user_data)
{
  VtMux *self = g_new0 (VtMux, 1);

  self->config = *config;
  self->handlers = *handlers;
  self->user_data = user_data;
  self->clock = vt_clock_ref (clock);
  self->streams = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) vt_mux_stream_unref);
  self->turns_timer = vt_timer_new (clock, "mux turns", turns_cb, self);
  self->stall_timer = vt_timer_new (clock, "mux stall", vt_mux_stall_cb, self);
  self->failure_timer = vt_timer_new (clock, "mux failure", failure_cb, self);
  self->protocol = config->protocol == 2 ? &vt_mux_v2 : &vt_mux_v1;
  vt_mux_keepalive_start (self);
  self->protocol_state = self->protocol->create (self);
  return self;
}

static void
stop (VtMux *self)
{
  vt_mux_keepalive_stop (self);
  vt_mux_opening_stop (self);
  vt_timer_stop (self->turns_timer);
  vt_timer_stop (self->stall_timer);
}

static void
tell_streams (VtMux *self, const GError *error)
{
  g_autoptr(GPtrArray) streams =
      g_ptr_array_new_with_free_func ((GDestroyNotify) vt_mux_stream_unref);

  for (GList *l = self->members.head; l != NULL; l = l->next)
    g_ptr_array_add (streams, vt_mux_stream_ref (l->data));
  for (unsigned int i = 0; i < streams->len; i++)
    vt_mux_stream_abandon (streams->pdata[i], error);
}

void
vt_mux_free (VtMux *self, const GError *error)
{
  GList *member;

  /* From here on nothing is handed out, whatever the streams' users do. */
  if (self->failure == NULL)
    self->failure = g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The session has ended"));
  stop (self);
  tell_streams (self, error);

  g_hash_table_unref (g_steal_pointer (&self->streams));
  while ((member = g_queue_pop_head_link (&self->members)) != NULL)
    ((VtMuxStream *) member->data)->mux = NULL;

  self->protocol->destroy (self->protocol_state);
  vt_timer_free (self->turns_timer);
  vt_timer_free (self->stall_timer);
  g_clear_pointer (&self->opening_timer, vt_timer_free);
  vt_timer_free (self->failure_timer);
  vt_timer_free (self->dead_timer);
  vt_timer_free (self->ping_timer);
  vt_timer_free (self->probe_timer);
  vt_clock_unref (self->clock);
  g_clear_error (&self->failure);
  g_free (self);
}

void
vt_mux_fail (VtMux *self, GError *error)
{
  if (self->failure != NULL)
    {
      g_error_free (error);
      return;
    }
  self->failure = error;
  stop (self);
  vt_timer_start (self->failure_timer, 0);
}

void
vt_mux_send (VtMux *self, GBytes *message, gboolean text, gboolean counted)
{
  if (self->failure == NULL)
    self->handlers.send (message, text, counted, self->user_data);
  g_bytes_unref (message);
}

void
vt_mux_suspend (VtMux *self)
{
  if (self->suspended || self->failure != NULL)
    return;

  self->suspended = TRUE;
  vt_mux_keepalive_stop (self);
  vt_mux_opening_stop (self);
  if (self->protocol->suspend != NULL)
    self->protocol->suspend (self);
}

void
vt_mux_resume (VtMux *self)
{
  if (!self->suspended || self->failure != NULL)
    return;

  self->suspended = FALSE;
  vt_mux_keepalive_restart (self);
  vt_mux_opening_resume (self);
  if (self->protocol->resume != NULL)
    self->protocol->resume (self);
  vt_mux_serve_soon (self);
}

void
vt_mux_set_peer_limits (VtMux *self, const VtControlLimits *limits)
{
  if (self->protocol->set_peer_limits != NULL)
    self->protocol->set_peer_limits (self, limits);
  vt_mux_keepalive_greet (self);
}

static guint64
get_most_kept (VtMux *self)
{
  guint64 traces = (guint64) self->config.max_streams * STREAM_TRACES;

  return self->config.max_buffer + MAX (traces, SEND_QUEUE_MAX);
}

/* A peer that asks on and on, and does not read the answers or does not say that it has. */
static void
check_peer_listens (VtMux *self)
{
  if (self->handlers.get_queued (self->user_data) > SEND_QUEUE_MAX)
    vt_mux_fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT,
                                            _ ("The other side does not read what it asks for")));
  else if (vt_mux_get_kept (self) > get_most_kept (self))
    vt_mux_fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT,
                                            _ ("The other side acknowledges nothing")));
}

gboolean
vt_mux_receive (VtMux *self, gboolean text, GBytes *message)
{
  gboolean counted;

  if (self->failure != NULL)
    return FALSE;

  vt_mux_note_alive (self);
  counted = self->protocol->receive (self, text, message);
  vt_mux_pause_if_full (self);
  check_peer_listens (self);
  return counted;
}

void
vt_mux_note_writable (VtMux *self)
{
  vt_mux_serve_turns (self);
}

void
vt_mux_listen (VtMux *self, guint32 id, const VtMuxListen *listen)
{
  g_assert (self->config.role == VT_MUX_CLIENT && id != 0);

  if (self->failure == NULL)
    self->protocol->listen (self, id, listen);
}

gboolean
vt_mux_unlisten (VtMux *self, guint32 id)
{
  g_assert (self->config.role == VT_MUX_CLIENT);

  return self->failure == NULL && self->protocol->unlisten (self, id);
}

void
vt_mux_listen_accept (VtMux *self, guint32 id, const char *address, guint16 port)
{
  g_assert (self->config.role == VT_MUX_SERVER);

  if (self->failure == NULL)
    self->protocol->listen_accept (self, id, address, port);
}

void
vt_mux_listen_accept_names (VtMux *self, guint32 id, const char *url)
{
  g_assert (self->config.role == VT_MUX_SERVER && self->protocol->listen_accept_names != NULL);

  if (self->failure == NULL)
    self->protocol->listen_accept_names (self, id, url);
}

void
vt_mux_listen_refuse (VtMux *self, guint32 id, const GError *error, unsigned int retry_after)
{
  g_assert (self->config.role == VT_MUX_SERVER);

  if (self->failure == NULL)
    self->protocol->listen_refuse (self, id, error, retry_after);
}

VtMuxStream *
vt_mux_find_stream (VtMux *self, guint32 id)
{
  return g_hash_table_lookup (self->streams, GUINT_TO_POINTER (id));
}

size_t
vt_mux_get_kept (VtMux *self)
{
  return self->handlers.get_kept != NULL ? self->handlers.get_kept (self->user_data) : 0;
}

gboolean
vt_mux_is_full (VtMux *self)
{
  return g_hash_table_size (self->streams) >= self->config.max_streams
         || (self->protocol->has_room != NULL && !self->protocol->has_room (self));
}

VtMuxStream *
vt_mux_add_stream (VtMux *self, guint32 id, guint32 listen_id)
{
  VtMuxStream *stream = vt_mux_stream_new (self, id, listen_id);

  g_hash_table_insert (self->streams, GUINT_TO_POINTER (id), stream);
  if (self->protocol->added != NULL)
    self->protocol->added (stream);
  if (vt_mux_stream_is_opening (stream))
    vt_mux_note_opening (self);
  return stream;
}

void
vt_mux_send_goaway (VtMux *self, const char *reason, unsigned int timeout)
{
  if (self->failure == NULL && self->protocol->goaway != NULL)
    self->protocol->goaway (self, reason, timeout);
}

/* The session can do no more, and the other side is to begin a new one. */
static void
fail_without_numbers (VtMux *self)
{
  vt_mux_fail (self, g_error_new_literal (VT_ERROR, VT_ERROR_SHUTTING_DOWN,
                                          _ ("The session has used up its numbers")));
}

/* Where the other side can be told, the streams that are there may go on. */
static void
run_out_of_numbers (VtMux *self, GError **error)
{
  g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN,
                       _ ("The session has no numbers left for connections"));
  vt_mux_send_goaway (self, "The session has used up its numbers", 0);
  if (!self->going_away || g_hash_table_size (self->streams) == 0)
    fail_without_numbers (self);
}

void
vt_mux_remove_stream (VtMux *self, guint32 id)
{
  /* This may have been the last reference. */
  g_hash_table_remove (self->streams, GUINT_TO_POINTER (id));
  if (self->said_goaway && self->last_stream_id == G_MAXUINT32
      && g_hash_table_size (self->streams) == 0)
    fail_without_numbers (self);
}

/* Also of a link that is not there: users who come and go meanwhile leave their traces. */
static gboolean
is_overloaded (VtMux *self)
{
  return vt_mux_is_full (self) || self->n_opening >= self->config.max_opening
         || vt_mux_get_kept (self) > self->config.max_buffer
         || self->handlers.get_queued (self->user_data) > SEND_QUEUE_BUSY;
}

static gboolean
may_open (VtMux *self, GError **error)
{
  if (self->failure != NULL)
    {
      g_propagate_error (error, g_error_copy (self->failure));
      return FALSE;
    }
  if (self->going_away)
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN,
                           _ ("The session takes no new connections"));
      return FALSE;
    }
  if (is_overloaded (self))
    {
      g_set_error_literal (error, VT_ERROR, VT_ERROR_LIMIT,
                           _ ("The session has too many connections"));
      return FALSE;
    }
  if (self->last_stream_id == G_MAXUINT32)
    {
      run_out_of_numbers (self, error);
      return FALSE;
    }
  return TRUE;
}

VtMuxStream *
vt_mux_open_stream (VtMux *self,
                    guint32 listen_id,
                    GSocketAddress *user,
                    GSocketAddress *local,
                    GError **error)
{
  g_assert (self->config.role == VT_MUX_SERVER);

  if (!may_open (self, error)
      || !self->protocol->open_stream (self, self->last_stream_id + 1, listen_id, user, local,
                                       error))
    return NULL;
  return vt_mux_add_stream (self, ++self->last_stream_id, listen_id);
}

unsigned int
vt_mux_get_n_streams (VtMux *self)
{
  return g_hash_table_size (self->streams);
}
