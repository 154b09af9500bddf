/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-gate-base-private.h"

#include <stdint.h>

#include "vt-clock-private.h"
#include "vt-poller-private.h"
#include "vt-socket-private.h"
#include "vt-source-private.h"

struct _VtGateBase {
  /* Owned. */
  GIOStream *stream;
  /* Of the stream. */
  GPollableInputStream *input;
  GPollableOutputStream *output;
  /* Owned; may lie deeper than the stream. NULL if there is none. */
  GSocket *socket;

  /* Owned. NULL if the stream is not a socket's, and when it is closed. */
  VtWatch *watch;
  int fd;

  /* Owned; for a stream that is not a socket's. The sources are NULL while nothing is awaited. */
  GMainContext *context;
  VtClock *clock;
  GSource *input_source;
  GSource *output_source;

  gboolean closed;
  VtGateBaseFunc func;
  void *user_data;
};

static void
watch_cb (GIOCondition condition, void *user_data)
{
  VtGateBase *self = user_data;

  /* Whoever reads or writes finds out what is wrong. */
  if (condition & (G_IO_ERR | G_IO_HUP))
    condition |= G_IO_IN | G_IO_OUT;
  self->func (condition & (G_IO_IN | G_IO_OUT), self->user_data);
}

VtGateBase *
vt_gate_base_new (GIOStream *stream, VtGateBaseFunc func, void *user_data)
{
  VtGateBase *self = g_new0 (VtGateBase, 1);
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);
  g_autoptr(GError) error = NULL;

  self->stream = g_object_ref (stream);
  self->input = G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (stream));
  self->output = G_POLLABLE_OUTPUT_STREAM (g_io_stream_get_output_stream (stream));
  self->socket = vt_socket_find (stream);
  self->context = g_main_context_ref_thread_default ();
  self->clock = vt_clock_get (NULL);
  self->func = func;
  self->user_data = user_data;
  self->fd = -1;

  if (G_IS_SOCKET_CONNECTION (stream))
    {
      self->fd = g_socket_get_fd (self->socket);
      self->watch = vt_watch_new (poller, self->fd, 0, watch_cb, self, &error);
      if (self->watch == NULL)
        g_debug ("A socket cannot be watched, and has its own sources: %s", error->message);
      else
        vt_watch_set_reentrant (self->watch);
    }
  return self;
}

void
vt_gate_base_free (VtGateBase *self)
{
  vt_gate_base_close (self, FALSE, FALSE);
  g_clear_object (&self->socket);
  g_clear_object (&self->stream);
  vt_clock_unref (self->clock);
  g_main_context_unref (self->context);
  g_free (self);
}

gboolean
vt_gate_base_is_socket (VtGateBase *self)
{
  return self->watch != NULL;
}

GSocket *
vt_gate_base_get_socket (VtGateBase *self)
{
  return self->socket;
}

gssize
vt_gate_base_read (VtGateBase *self, const GInputVector *vectors, size_t n_vectors, GError **error)
{
  if (self->watch == NULL)
    return g_pollable_input_stream_read_nonblocking (self->input, vectors->buffer, vectors->size,
                                                     NULL, error);
  if (n_vectors == 1)
    return vt_socket_read (self->fd, vectors->buffer, vectors->size, error);
  return vt_socket_readv (self->fd, vectors, n_vectors, error);
}

/* TLS takes a record at a time. That of glib-networking 2.74 loses errors that nobody wants. */
static gssize
write_pollable (VtGateBase *self, const uint8_t *data, size_t length, GError **error)
{
  g_autoptr(GError) reason = NULL;
  gssize n_bytes = 0;
  size_t done = 0;

  do
    {
      n_bytes = g_pollable_output_stream_write_nonblocking (self->output, data + done,
                                                            length - done, NULL, &reason);
      if (n_bytes > 0)
        done += n_bytes;
    }
  while (n_bytes > 0 && done < length);
  if (done > 0)
    return done;
  if (reason != NULL)
    g_propagate_error (error, g_steal_pointer (&reason));
  return n_bytes;
}

gssize
vt_gate_base_write (VtGateBase *self,
                    const GOutputVector *vectors,
                    size_t n_vectors,
                    GError **error)
{
  size_t done = 0;

  /* A short write of a socket says as much as one more, which would be refused. */
  if (self->watch != NULL && n_vectors == 1)
    return vt_socket_write (self->fd, vectors->buffer, vectors->size, error);
  if (self->watch != NULL)
    return vt_socket_writev (self->fd, vectors, n_vectors, error);

  for (size_t i = 0; i < n_vectors; i++)
    {
      gssize n_bytes =
          write_pollable (self, vectors[i].buffer, vectors[i].size, done > 0 ? NULL : error);

      if (n_bytes > 0)
        done += n_bytes;
      if (n_bytes < (gssize) vectors[i].size)
        return done > 0 ? (gssize) done : n_bytes;
    }
  return done;
}

/* The base may be gone afterwards. */
static void
tell (VtGateBase *self, GIOCondition condition)
{
  g_autoptr(VtClock) clock = vt_clock_ref (self->clock);

  self->func (condition, self->user_data);
  vt_clock_end_dispatch (clock);
}

static gboolean
input_cb (GObject *stream, void *user_data)
{
  VtGateBase *self = user_data;

  g_clear_pointer (&self->input_source, vt_source_destroy);
  tell (self, G_IO_IN);
  return G_SOURCE_REMOVE;
}

static gboolean
output_cb (GObject *stream, void *user_data)
{
  VtGateBase *self = user_data;

  g_clear_pointer (&self->output_source, vt_source_destroy);
  tell (self, G_IO_OUT);
  return G_SOURCE_REMOVE;
}

static void
start_source (VtGateBase *self, GSource *source, GPollableSourceFunc func)
{
  g_source_set_callback (source, G_SOURCE_FUNC (func), self, NULL);
  g_source_set_static_name (source, "[vtunnel] gate base");
  g_source_set_priority (source, VT_SOURCE_PRIORITY);
  g_source_attach (source, self->context);
}

void
vt_gate_base_want (VtGateBase *self, GIOCondition condition)
{
  if (self->closed)
    return;
  if (self->watch != NULL)
    {
      vt_watch_set_condition (self->watch, condition);
      return;
    }

  if ((condition & G_IO_IN) == 0)
    g_clear_pointer (&self->input_source, vt_source_destroy);
  else if (self->input_source == NULL)
    {
      self->input_source = g_pollable_input_stream_create_source (self->input, NULL);
      start_source (self, self->input_source, input_cb);
    }

  if ((condition & G_IO_OUT) == 0)
    g_clear_pointer (&self->output_source, vt_source_destroy);
  else if (self->output_source == NULL)
    {
      self->output_source = g_pollable_output_stream_create_source (self->output, NULL);
      start_source (self, self->output_source, output_cb);
    }
}

void
vt_gate_base_shutdown_output (VtGateBase *self)
{
  if (!self->closed && G_IS_SOCKET_CONNECTION (self->stream))
    g_socket_shutdown (self->socket, FALSE, TRUE, NULL);
}

void
vt_gate_base_close (VtGateBase *self, gboolean abrupt, gboolean reset)
{
  if (self->closed)
    return;
  self->closed = TRUE;
  g_clear_pointer (&self->watch, vt_watch_free);
  g_clear_pointer (&self->input_source, vt_source_destroy);
  g_clear_pointer (&self->output_source, vt_source_destroy);

  if (reset && self->socket != NULL)
    vt_socket_arm_reset (g_socket_get_fd (self->socket));
  if (G_IS_SOCKET_CONNECTION (self->stream))
    {
      g_io_stream_close (self->stream, NULL, NULL);
      return;
    }

  /* TLS says goodbye, from a thread of GIO's. It must not hold that thread for as long as the
   * peer does not read. */
  if (self->socket != NULL
      && (abrupt || g_socket_condition_check (self->socket, G_IO_OUT) != G_IO_OUT))
    g_socket_shutdown (self->socket, TRUE, TRUE, NULL);
  g_io_stream_close_async (self->stream, G_PRIORITY_DEFAULT, NULL, NULL, NULL);
}
