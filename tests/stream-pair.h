/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-stream-private.h"

#include <string.h>

#include "loopback.h"
#include "tunnel.h"
#include "vt-error-private.h"
#include "vt-forward-private.h"

/* A stream of an application at the client's side, and one at the server's. */
typedef struct {
  Tunnel *tunnel;
  VtForward *forward;
  VtStream *near; /* the client's */
  VtStream *far;  /* the server's */
  unsigned int n_finished; /* of `near` */
  GError *finished_with;
} Fixture;

static void
finished_cb (VtStream *stream, const GError *error, void *user_data)
{
  Fixture *self = user_data;

  self->n_finished++;
  g_clear_error (&self->finished_with);
  self->finished_with = error != NULL ? g_error_copy (error) : NULL;
}

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  Fixture *self = user_data;

  self->near = vt_stream_new (stream, self->forward, NULL);
  vt_stream_set_finished_func (self->near, finished_cb, self);
  vt_mux_stream_accept (stream);
}

/* `user_data`: the protocol. */
static inline void
set_up (Fixture *self, gconstpointer user_data)
{
  g_autoptr(GSocketAddress) user = g_inet_socket_address_new_from_string ("192.0.2.1", 1234);

  self->tunnel = tunnel_new (NULL, GPOINTER_TO_UINT (user_data));
  self->tunnel->stream_opened = stream_opened_cb;
  self->tunnel->user_data = self;
  self->forward = vt_forward_new (9000, NULL);
  self->far = vt_stream_new (tunnel_open_stream (self->tunnel), self->forward, user);
  RUN_UNTIL (self->near != NULL);
}

static inline void
tear_down (Fixture *self, gconstpointer user_data)
{
  g_clear_object (&self->near);
  g_clear_object (&self->far);
  g_clear_object (&self->forward);
  g_clear_error (&self->finished_with);
  g_clear_pointer (&self->tunnel, tunnel_free);
}

static inline GInputStream *
input_of (VtStream *stream)
{
  return g_io_stream_get_input_stream (G_IO_STREAM (stream));
}

static inline GOutputStream *
output_of (VtStream *stream)
{
  return g_io_stream_get_output_stream (G_IO_STREAM (stream));
}

static void
keep_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GAsyncResult **place = user_data;

  g_assert_null (*place);
  *place = g_object_ref (result);
}

static inline void
write_text (VtStream *stream, const char *text)
{
  g_autoptr(GError) error = NULL;

  g_output_stream_write_all (output_of (stream), text, strlen (text), NULL, NULL, &error);
  g_assert_no_error (error);
}

/* What comes until the end of the stream. */
static inline char *
read_to_end (VtStream *stream)
{
  g_autoptr(GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr(GAsyncResult) result = NULL;
  g_autoptr(GError) error = NULL;

  g_output_stream_splice_async (memory, input_of (stream), G_OUTPUT_STREAM_SPLICE_NONE,
                                G_PRIORITY_DEFAULT, NULL, keep_result_cb, &result);
  RUN_UNTIL (result != NULL);
  g_output_stream_splice_finish (memory, result, &error);
  g_assert_no_error (error);
  g_output_stream_write (memory, "", 1, NULL, NULL);
  g_output_stream_close (memory, NULL, NULL);
  return g_memory_output_stream_steal_data (G_MEMORY_OUTPUT_STREAM (memory));
}
