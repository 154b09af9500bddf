/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "time-skip.h"
#include "trunk-end.h"
#include "vt-mux-internal-private.h"

typedef struct {
  End client;
  End server;
} Fixture;

static void
set_up (Fixture *self, const void *data)
{
  int fd;
  g_autoptr(GIOStream) client = ws_stream_to_fd (&fd);
  g_autoptr(GIOStream) server = ws_stream_for_fd (fd);

  end_begin_role (&self->client, client, VT_MUX_CLIENT, 2);
  end_begin_role (&self->server, server, VT_MUX_SERVER, 2);
}

static void
tear_down (Fixture *self, const void *data)
{
  end_clear (&self->client);
  end_clear (&self->server);
}

static void
ask_for_port (Fixture *self)
{
  const VtMuxListen listen = { .port = 9000 };

  vt_mux_listen (vt_trunk_get_mux (self->client.trunk), 7, &listen);
}

static void
open_stream (Fixture *self)
{
  end_take_stream (&self->server,
                   vt_mux_open_stream (vt_trunk_get_mux (self->server.trunk), 7, NULL, NULL, NULL));
}

static void
write_text (VtMuxStream *stream, const char *text)
{
  size_t space = 0;
  uint8_t *place = vt_mux_stream_begin_write (stream, &space);

  g_assert_nonnull (place);
  g_assert_cmpuint (space, >=, strlen (text));
  memcpy (place, text, strlen (text));
  vt_mux_stream_end_write (stream, strlen (text));
}

static gboolean
holds_text (VtMuxStream *stream, const char *text)
{
  size_t length = 0;
  const uint8_t *data = vt_mux_stream_peek (stream, &length);

  return data != NULL && length == strlen (text) && memcmp (data, text, length) == 0;
}

static size_t
get_kept (End *self)
{
  return vt_mux_get_kept (vt_trunk_get_mux (self->trunk));
}

/* All that is counted is kept until the other side has said that it came. */
static void
test_acknowledged (Fixture *self, const void *data)
{
  g_assert_cmpuint (get_kept (&self->client), ==, 0);
  ask_for_port (self);
  g_assert_cmpuint (get_kept (&self->client), >, 0);
  ws_wait (self->client.port == 9000);
  open_stream (self);
  ws_wait (self->client.stream != NULL);
  g_assert_cmpuint (get_kept (&self->server), >, 0);
  vt_mux_stream_accept (self->client.stream);
  write_text (self->client.stream, "hello");
  write_text (self->server.stream, "back");
  ws_wait (holds_text (self->server.stream, "hello"));
  ws_wait (holds_text (self->client.stream, "back"));
  time_skip (100 * G_TIME_SPAN_MILLISECOND);
  ws_wait (get_kept (&self->client) == 0 && get_kept (&self->server) == 0);
  g_assert_cmpstr (self->client.heard->str, ==, "ls");
  g_assert_cmpstr (self->server.heard->str, ==, "q");
}

static void
begin_all (Fixture *self)
{
  ask_for_port (self);
  ws_wait (self->client.port == 9000);
  open_stream (self);
  ws_wait (self->client.stream != NULL);
}

/* The end, as both sides are told of it. */
static void
test_close (Fixture *self, const void *data)
{
  unsigned int code = GPOINTER_TO_UINT (data);
  int expected = code == 1002 ? VT_ERROR_PROTOCOL : VT_ERROR_SHUTTING_DOWN;

  begin_all (self);
  vt_trunk_close (self->server.trunk, code, "enough");
  ws_wait (end_has_heard (&self->client, 'c') && end_has_heard (&self->server, 'c'));
  g_assert_cmpstr (self->client.heard->str, ==, "lsxc");
  g_assert_cmpstr (self->server.heard->str, ==, "qxc");
  if (code == 1000)
    {
      g_assert_no_error (self->client.error);
      return;
    }
  g_assert_error (self->client.error, VT_ERROR, expected);
  g_assert_nonnull (strstr (self->client.error->message, "enough"));
}

/* A session that has used up its numbers does not end with a reproach. */
static void
test_shutting_down (Fixture *self, const void *data)
{
  g_autoptr(GError) error = NULL;
  VtMux *mux;

  begin_all (self);
  mux = vt_trunk_get_mux (self->server.trunk);
  vt_mux_stream_reset (self->server.stream, NULL);
  mux->last_stream_id = G_MAXUINT32;
  g_assert_null (vt_mux_open_stream (mux, 7, NULL, NULL, &error));
  g_assert_error (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  ws_wait (end_has_heard (&self->client, 'c') && end_has_heard (&self->server, 'c'));
  g_assert_true (end_has_heard (&self->client, 'g'));
  g_assert_error (self->server.error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_error (self->client.error, VT_ERROR, VT_ERROR_SHUTTING_DOWN);
  g_assert_nonnull (strstr (self->client.error->message, "1001"));
}

/* Makes each event happen that either side can hear of. */
static void
go_through_all (Fixture *self)
{
  ask_for_port (self);
  ws_wait (self->client.trunk == NULL || self->server.trunk == NULL
           || vt_trunk_get_mux (self->client.trunk) == NULL
           || vt_trunk_get_mux (self->server.trunk) == NULL || self->client.port == 9000);
  if (self->client.port == 0 || self->client.trunk == NULL || self->server.trunk == NULL
      || vt_trunk_get_mux (self->client.trunk) == NULL)
    return;
  open_stream (self);
  ws_wait (self->client.stream != NULL);
  if (self->client.trunk == NULL || vt_trunk_get_mux (self->client.trunk) == NULL)
    return;
  vt_mux_stream_accept (self->client.stream);
  vt_mux_stream_reset (self->server.stream, NULL);
  ws_wait (end_has_heard (&self->client, 'x'));
  if (self->client.trunk != NULL && vt_trunk_get_mux (self->client.trunk) != NULL)
    vt_trunk_close (self->server.trunk, 1000, NULL);
}

static End *
get_end (Fixture *self, const char *what)
{
  return what[0] == 'C' ? &self->client : &self->server;
}

/* `data`: which side, and in which event. Nothing is told any more, and the other side sees that
 * it is over. */
static void
test_free_in (Fixture *self, const void *data)
{
  const char *what = data;
  End *end = get_end (self, what);
  End *other = end == &self->client ? &self->server : &self->client;

  end->free_in = what[1];
  go_through_all (self);
  ws_wait (end->trunk == NULL && end->n_gates == 0);
  ws_wait (end_has_heard (other, 'c'));
  g_assert_cmpint (end->heard->str[end->heard->len - 1], ==, what[1]);
}

/* The same for closing, which both hear of in order. */
static void
test_close_in (Fixture *self, const void *data)
{
  const char *what = data;
  End *end = get_end (self, what);

  end->close_in = what[1];
  go_through_all (self);
  ws_wait (end_has_heard (&self->client, 'c') && end_has_heard (&self->server, 'c'));
  g_assert_no_error (self->client.error);
  g_assert_no_error (self->server.error);
}

/* Two streams come in one message, and with the first one all is over. `data`: how. */
static void
test_end_in_batch (Fixture *self, const void *data)
{
  ask_for_port (self);
  ws_wait (self->client.port == 9000);
  if (data != NULL)
    self->client.free_in = 's';
  else
    self->client.close_in = 's';
  open_stream (self);
  vt_mux_open_stream (vt_trunk_get_mux (self->server.trunk), 7, NULL, NULL, NULL);
  ws_wait (end_has_heard (&self->server, 'c'));
  ws_wait (data != NULL || end_has_heard (&self->client, 'c'));
  g_assert_cmpstr (self->client.heard->str, ==, data != NULL ? "ls" : "lsxc");
}

int
main (int argc, char *argv[])
{
  static const char *const events[] = { "Cl", "Cs", "Cx", "Cc", "Sq" };

  g_test_init (&argc, &argv, NULL);
  ws_quiet ();
#define ADD(path, data, func) g_test_add ("/trunk/v2/" path, Fixture, data, set_up, func, tear_down)
  ADD ("acknowledged", NULL, test_acknowledged);
  ADD ("close/normal", GUINT_TO_POINTER (1000), test_close);
  ADD ("close/going-away", GUINT_TO_POINTER (1001), test_close);
  ADD ("close/protocol", GUINT_TO_POINTER (1002), test_close);
  ADD ("close/shutting-down", NULL, test_shutting_down);
  ADD ("close/in-batch", NULL, test_end_in_batch);
  ADD ("free/in-batch", "", test_end_in_batch);
#undef ADD
  for (size_t i = 0; i < G_N_ELEMENTS (events); i++)
    {
      g_autofree char *freed = g_strdup_printf ("/trunk/v2/free/in-%s", events[i]);
      g_autofree char *closed = g_strdup_printf ("/trunk/v2/close/in-%s", events[i]);

      g_test_add (freed, Fixture, events[i], set_up, test_free_in, tear_down);
      if (events[i][1] != 'c')
        g_test_add (closed, Fixture, events[i], set_up, test_close_in, tear_down);
    }
  return g_test_run ();
}
