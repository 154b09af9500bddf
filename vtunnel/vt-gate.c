/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-gate-private.h"

#include <string.h>

#include "vt-gate-streams-private.h"
#include "vt-socket-private.h"

/* Answers to its pings that a peer may leave unread before nothing more is read from it. */
#define MAX_OWED_PONGS 64

/* The pollable GIOStream under libsoup's code. It belongs to the thread-default main context of
 * the moment of its construction, and closes its base when it is disposed of. */
struct _VtGate {
  GIOStream parent_instance;

  /* Owned. */
  VtGateBase *base;
  VtGateInput *input;
  VtGateOutput *output;
  VtClock *clock;
  /* Owned; NULL once the bytes are WebSocket frames. */
  VtTimer *http_deadline;

  VtGateHandlers handlers; /* all NULL while nobody listens */
  void *user_data;         /* the owner's */

  /* Owned. Tells in a dispatch of its own what the guard said within libsoup's read. */
  VtTimer *refusal_timer;
  unsigned int refusal_code;
  /* Static. */
  const char *reason;

  gboolean shut;
};

G_DEFINE_FINAL_TYPE (VtGate, vt_gate, G_TYPE_IO_STREAM)

static void
shut (VtGate *self, gboolean abrupt, gboolean reset)
{
  if (self->shut)
    return;
  self->shut = TRUE;
  if (!abrupt)
    vt_gate_output_flush (self->output);
  g_clear_pointer (&self->http_deadline, vt_timer_free);
  vt_timer_stop (self->refusal_timer);
  vt_gate_base_close (self->base, abrupt, reset);
  vt_gate_input_shut (self->input);
  vt_gate_output_shut (self->output);
}

static GInputStream *
vt_gate_get_input_stream (GIOStream *stream)
{
  return G_INPUT_STREAM (VT_GATE (stream)->input);
}

static GOutputStream *
vt_gate_get_output_stream (GIOStream *stream)
{
  return G_OUTPUT_STREAM (VT_GATE (stream)->output);
}

static gboolean
vt_gate_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  shut (VT_GATE (stream), FALSE, FALSE);
  return TRUE;
}

/* GIO's own would close in a thread, where none of this may be touched. */
static void
vt_gate_close_async (GIOStream *stream,
                     int io_priority,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     void *user_data)
{
  g_autoptr(GTask) task = g_task_new (stream, NULL, callback, user_data);

  g_task_set_source_tag (task, vt_gate_close_async);
  g_task_set_priority (task, io_priority);
  shut (VT_GATE (stream), FALSE, FALSE);
  g_task_return_boolean (task, TRUE);
}

static gboolean
vt_gate_close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

static void
vt_gate_dispose (GObject *object)
{
  VtGate *self = VT_GATE (object);

  self->handlers = (VtGateHandlers){ 0 };
  /* This closes it. */
  G_OBJECT_CLASS (vt_gate_parent_class)->dispose (object);
}

static void
vt_gate_finalize (GObject *object)
{
  VtGate *self = VT_GATE (object);

  shut (self, TRUE, FALSE);
  g_clear_pointer (&self->refusal_timer, vt_timer_free);
  g_clear_pointer (&self->base, vt_gate_base_free);
  g_clear_object (&self->input);
  g_clear_object (&self->output);
  g_clear_pointer (&self->clock, vt_clock_unref);
  G_OBJECT_CLASS (vt_gate_parent_class)->finalize (object);
}

static void
vt_gate_class_init (VtGateClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (klass);

  object_class->dispose = vt_gate_dispose;
  object_class->finalize = vt_gate_finalize;
  stream_class->get_input_stream = vt_gate_get_input_stream;
  stream_class->get_output_stream = vt_gate_get_output_stream;
  stream_class->close_fn = vt_gate_close;
  stream_class->close_async = vt_gate_close_async;
  stream_class->close_finish = vt_gate_close_finish;
}

static void
vt_gate_init (VtGate *self)
{
}

static void
base_cb (GIOCondition condition, void *user_data)
{
  g_autoptr(VtGate) self = g_object_ref (VT_GATE (user_data));

  if (condition & G_IO_OUT)
    vt_gate_output_tell_writable (self->output);
  if ((condition & G_IO_IN) && !self->shut)
    vt_gate_input_tell_readable (self->input);
}

/* libsoup has the head only in part, and has written nothing. The few bytes fit the socket; if
 * not, so be it. */
static void
answer_bad_request (VtGate *self)
{
  g_autofree char *answer = g_strdup_printf ("HTTP/1.1 400 Bad Request\r\n"
                                             "Server: vtunnel\r\n"
                                             "Connection: close\r\n"
                                             "Content-Type: text/plain; charset=utf-8\r\n"
                                             "Content-Length: %zu\r\n"
                                             "\r\n"
                                             "%s.\n",
                                             strlen (self->reason) + 2, self->reason);

  vt_gate_base_write (self->base, &(GOutputVector){ answer, strlen (answer) }, 1, NULL);
  shut (self, FALSE, FALSE);
}

static void
refusal_cb (void *user_data)
{
  g_autoptr(VtGate) self = g_object_ref (VT_GATE (user_data));

  if (self->refusal_code == 0 || self->refusal_code == VT_GATE_BAD_REQUEST)
    g_debug ("Closing a connection: %s", self->reason);
  if (self->refusal_code == 0)
    vt_gate_abort (self, FALSE);
  else if (self->refusal_code == VT_GATE_BAD_REQUEST)
    answer_bad_request (self);
  else if (self->handlers.violated != NULL)
    self->handlers.violated (self->refusal_code, self->reason, self->user_data);
}

static void
deadline_cb (void *user_data)
{
  VtGate *self = user_data;

  g_debug ("Closing a connection: no WebSocket within its deadline");
  vt_gate_abort (self, FALSE);
}

VtGate *
vt_gate_new (GIOStream *base)
{
  VtGate *self = g_object_new (VT_TYPE_GATE, NULL);

  self->clock = vt_clock_get (NULL);
  self->base = vt_gate_base_new (base, base_cb, self);
  self->input = vt_gate_input_new (self, self->base, self->clock);
  self->output = vt_gate_output_new (self, self->base, self->clock);
  self->refusal_timer = vt_timer_new (self->clock, "gate refusal", refusal_cb, self);
  return self;
}

void
vt_gate_unread (VtGate *self, const void *data, size_t length)
{
  g_assert (length <= VT_GATE_MAX_UNREAD);

  vt_gate_input_unread (self->input, data, length);
}

void
vt_gate_guard_http (VtGate *self, size_t max_head, gint64 deadline)
{
  vt_gate_input_guard_head (self->input, max_head);
  self->http_deadline = vt_timer_new (self->clock, "gate deadline", deadline_cb, self);
  vt_timer_start (self->http_deadline, deadline);
}

void
vt_gate_begin_websocket (VtGate *self,
                         const VtFrameLimits *limits,
                         const VtGateHandlers *handlers,
                         void *user_data)
{
  self->handlers = *handlers;
  self->user_data = user_data;
  if (self->shut)
    return;
  g_clear_pointer (&self->http_deadline, vt_timer_free);
  vt_gate_output_begin_frames (self->output);
  vt_gate_input_guard_frames (self->input, limits);
}

void
vt_gate_forget_handlers (VtGate *self)
{
  self->handlers = (VtGateHandlers){ 0 };
}

gboolean
vt_gate_send (VtGate *self, guint64 number, GBytes *message, gboolean masked)
{
  return !self->shut && vt_gate_output_send (self->output, number, message, masked);
}

void
vt_gate_put_payload (VtGate *self, guint64 number, GBytes *payload)
{
  if (!self->shut)
    vt_gate_output_put_payload (self->output, number, payload);
}

GBytes *
vt_gate_take_payload (VtGate *self, guint64 number)
{
  return vt_gate_input_take_payload (self->input, number);
}

void
vt_gate_set_paused (VtGate *self, gboolean paused)
{
  if (!self->shut)
    vt_gate_input_set_paused (self->input, paused);
}

void
vt_gate_stop_reading (VtGate *self)
{
  if (!self->shut)
    vt_gate_input_stop (self->input);
}

void
vt_gate_drop_messages (VtGate *self)
{
  self->handlers.message = NULL;
  if (!self->shut)
    vt_gate_input_drop_messages (self->input);
}

guint64
vt_gate_get_data_passed (VtGate *self)
{
  return vt_gate_output_get_data_passed (self->output);
}

guint64
vt_gate_get_n_data_passed (VtGate *self)
{
  return vt_gate_output_get_n_data (self->output);
}

GSocket *
vt_gate_find_socket (GIOStream *stream)
{
  GSocket *socket = NULL;

  if (!VT_IS_GATE (stream))
    return vt_socket_find (stream);
  socket = vt_gate_base_get_socket (VT_GATE (stream)->base);
  return socket != NULL ? g_object_ref (socket) : NULL;
}

void
vt_gate_shutdown_output (VtGate *self)
{
  if (self->shut)
    return;
  vt_gate_output_flush (self->output);
  vt_gate_base_shutdown_output (self->base);
}

void
vt_gate_abort (VtGate *self, gboolean reset)
{
  g_autoptr(VtGate) alive = g_object_ref (self);

  shut (self, TRUE, reset);
}

void
vt_gate_update_interest (VtGate *self)
{
  GIOCondition condition = 0;

  if (self->shut)
    return;
  if (vt_gate_input_wants (self->input))
    condition |= G_IO_IN;
  if (vt_gate_output_wants (self->output))
    condition |= G_IO_OUT;
  vt_gate_base_want (self->base, condition);
}

gboolean
vt_gate_owes_pongs (VtGate *self)
{
  guint64 n_pings = vt_gate_input_get_n_pings (self->input);

  return n_pings > MAX_OWED_PONGS + vt_gate_output_get_n_control (self->output);
}

void
vt_gate_bytes_came (VtGate *self)
{
  if (self->handlers.alive != NULL)
    self->handlers.alive (self->user_data);
}

gboolean
vt_gate_takes_messages (VtGate *self)
{
  return self->handlers.message != NULL;
}

void
vt_gate_message_came (VtGate *self, GBytes *message)
{
  self->handlers.message (message, self->user_data);
}

void
vt_gate_bytes_left (VtGate *self)
{
  if (!self->shut)
    vt_gate_input_tell_answered (self->input);
  if (self->handlers.drained != NULL)
    self->handlers.drained (self->user_data);
}

void
vt_gate_refuse (VtGate *self, unsigned int code, const char *reason)
{
  self->refusal_code = code;
  self->reason = reason;
  vt_timer_start (self->refusal_timer, 0);
}
