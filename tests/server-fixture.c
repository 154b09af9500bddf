/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "server-fixture.h"

#include "vt-ready-set-private.h"

#include <string.h>

static void
connected_changed_cb (VtSession *session, GParamSpec *pspec, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_string_append (self->log, vt_session_get_connected (session) ? "back " : "lost ");
}

static void
address_changed_cb (VtSession *session, GParamSpec *pspec, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_string_append (self->log, "moved ");
}

static void
n_resumed_changed_cb (VtSession *session, GParamSpec *pspec, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_string_append_printf (self->log, "resumed%u ", vt_session_get_n_resumed (session));
}

static void
session_opened_cb (VtServer *server, VtSession *session, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_assert_true (vt_session_get_connected (session));
  g_assert_cmpuint (vt_session_get_n_resumed (session), ==, 0);
  g_set_object (&self->session, session);
  g_string_append (self->log, "+session ");
  g_signal_connect (session, "notify::connected", G_CALLBACK (connected_changed_cb), self);
  g_signal_connect (session, "notify::client-address", G_CALLBACK (address_changed_cb), self);
  g_signal_connect (session, "notify::n-resumed", G_CALLBACK (n_resumed_changed_cb), self);
}

static void
session_closed_cb (VtServer *server, VtSession *session, const GError *error, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_signal_handlers_disconnect_by_data (session, self);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_forwards (session)), ==, 0);
  g_assert_cmpuint (g_list_model_get_n_items (vt_session_get_streams (session)), ==, 0);
  if (error == NULL)
    {
      g_string_append (self->log, "-session ");
      return;
    }
  g_assert_true (error->domain == VT_ERROR);
  g_string_append_printf (self->log, "-session!%d ", error->code);
}

static void
stream_opened_cb (VtServer *server, VtSession *session, VtStream *stream, gpointer user_data)
{
  ServerFixture *self = user_data;

  g_string_append_printf (self->log, "+stream%u ", vt_stream_get_id (stream));
}

static void
stream_closed_cb (VtServer *server,
                  VtSession *session,
                  VtStream *stream,
                  const GError *error,
                  gpointer user_data)
{
  ServerFixture *self = user_data;

  g_string_append_printf (self->log, "-stream%u%s ", vt_stream_get_id (stream),
                          error != NULL ? "!" : "");
}

void
server_fixture_set_up (ServerFixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;
  g_autofree guint16 *ports = NULL;

  /* GIO opens a descriptor of its own with its first task, and keeps it. */
  g_type_ensure (G_TYPE_TASK);
  raw_settle ();
  vt_ready_set_prepare ();
  self->n_descriptors = raw_count_descriptors ();
  self->log = g_string_new (NULL);
  self->server = vt_server_new ();
  g_signal_connect (self->server, "session-opened", G_CALLBACK (session_opened_cb), self);
  g_signal_connect (self->server, "session-closed", G_CALLBACK (session_closed_cb), self);
  g_signal_connect (self->server, "stream-opened", G_CALLBACK (stream_opened_cb), self);
  g_signal_connect (self->server, "stream-closed", G_CALLBACK (stream_closed_cb), self);
  vt_server_listen (self->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  ports = vt_server_get_ports (self->server, NULL);
  self->port = ports[0];
}

static gboolean
descriptors_are_back (void *user_data)
{
  return raw_count_descriptors () <= ((ServerFixture *) user_data)->n_descriptors;
}

void
server_fixture_tear_down (ServerFixture *self, const void *data)
{
  gpointer server = self->server;

  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_object (&self->session);
  if (server != NULL)
    {
      g_signal_handlers_disconnect_by_data (server, self);
      g_object_add_weak_pointer (G_OBJECT (server), &server);
      g_object_unref (self->server);
      raw_settle ();
      g_assert_null (server);
    }
  raw_wait (descriptors_are_back, self);
  g_string_free (self->log, TRUE);
}

typedef struct {
  GString *log; /* not owned */
  const char *text;
} Awaited;

static gboolean
was_told (void *user_data)
{
  Awaited *awaited = user_data;

  return awaited->log->len >= strlen (awaited->text);
}

void
server_fixture_expect (ServerFixture *self, const char *text)
{
  Awaited awaited = { self->log, text };

  raw_wait (was_told, &awaited);
  g_assert_cmpstr (self->log->str, ==, text);
  g_string_truncate (self->log, 0);
}

void
server_fixture_expect_silence (ServerFixture *self)
{
  raw_settle ();
  g_assert_cmpstr (self->log->str, ==, "");
}

unsigned int
server_fixture_count_sessions (ServerFixture *self)
{
  return g_list_model_get_n_items (vt_server_get_sessions (self->server));
}

gboolean
server_fixture_is_open (guint16 port)
{
  g_autoptr(GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", port);
  g_autoptr(GSocket) socket =
      g_socket_new (G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);

  return g_socket_connect (socket, address, NULL, NULL);
}
