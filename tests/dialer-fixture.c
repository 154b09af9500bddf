/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "dialer-fixture.h"

static void
message_cb (gboolean text, GBytes *message, void *user_data)
{
  DialFixture *self = user_data;

  g_string_append_len (self->messages, g_bytes_get_data (message, NULL),
                       g_bytes_get_size (message));
  g_string_append_c (self->messages, '\n');
}

static void
nothing_cb (void *user_data)
{
}

static void
closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  DialFixture *self = user_data;

  self->closed = TRUE;
}

static const VtLinkHandlers handlers = {
  .message = message_cb,
  .alive = nothing_cb,
  .writable = nothing_cb,
  .closed = closed_cb,
};

void
dial_fixture_dialed_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  DialFixture *self = user_data;

  self->done = TRUE;
  self->outcome = (VtDialOutcome){ .hopeless = 2, .retry_after = 99 };
  if (vt_dialer_dial_finish (result, &self->connection, &self->gate, &self->outcome, &self->error))
    self->link = vt_link_new (self->connection, self->gate, 1024 * 1024, &handlers, self);
}

void
dial_fixture_start (DialFixture *self)
{
  const VtDialRequest request = {
    .session = self->session,
    .uri = self->uri,
    .headers = self->headers,
    .subprotocols = self->subprotocols,
  };

  vt_dialer_dial_async (&request, self->cancellable, dial_fixture_dialed_cb, self);
}

void
dial_fixture_set_up (DialFixture *self, const void *data)
{
  self->session = soup_session_new ();
  self->cancellable = g_cancellable_new ();
  self->server = raw_server_new (NULL);
  self->uri = raw_server_get_uri (self->server, "ws");
  self->messages = g_string_new (NULL);
}

void
dial_fixture_tear_down (DialFixture *self, const void *data)
{
  g_clear_pointer (&self->link, vt_link_free);
  g_clear_object (&self->connection);
  if (self->gate != NULL)
    {
      raw_settle ();
      g_object_add_weak_pointer (G_OBJECT (self->gate), (void **) &self->gate);
      g_object_unref (self->gate);
      g_assert_null (self->gate);
    }
  g_clear_error (&self->error);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->headers, g_ptr_array_unref);
  g_clear_pointer (&self->server, raw_server_free);
  g_object_add_weak_pointer (G_OBJECT (self->session), (void **) &self->session);
  g_object_unref (self->session);
  raw_settle ();
  g_assert_null (self->session);
  g_free (self->uri);
  g_string_free (self->messages, TRUE);
}

void
dial_fixture_expect_error (DialFixture *self, int code, const char *part)
{
  RAW_WAIT (self->done);
  g_assert_error (self->error, VT_ERROR, code);
  g_assert_nonnull (strstr (self->error->message, part));
}

void
dial_fixture_expect_outcome (DialFixture *self, gboolean hopeless, unsigned int retry_after)
{
  g_assert_cmpint (self->outcome.hopeless, ==, hopeless);
  g_assert_cmpuint (self->outcome.retry_after, ==, retry_after);
}

void
dial_fixture_check_tail (DialFixture *self, RawLink *taken, size_t first_length)
{
  g_autoptr(RawLink) link = taken;
  g_autofree char *head = raw_link_read_head (link);
  g_autofree char *big = g_strnfill (first_length, 'x');
  g_autofree char *expected = g_strdup_printf ("%s\nsecond\nthird\n", big);
  g_autoptr(GBytes) first = raw_frame_new (1, big, first_length);
  g_autoptr(GBytes) second = raw_frame_new (1, "second", 6);
  g_autoptr(GByteArray) tail = g_byte_array_new ();
  g_autoptr(GBytes) now = NULL;

  g_byte_array_append (tail, g_bytes_get_data (first, NULL), g_bytes_get_size (first));
  g_byte_array_append (tail, g_bytes_get_data (second, NULL), g_bytes_get_size (second));
  /* All but the last three bytes, which come later. */
  now = g_bytes_new (tail->data, tail->len - 3);
  raw_link_upgrade (link, head, now);
  RAW_WAIT (self->done);
  g_assert_no_error (self->error);
  raw_settle ();
  raw_link_send (link, tail->data + tail->len - 3, 3);
  raw_link_send_text (link, "third");
  RAW_WAIT (self->messages->len >= strlen (expected));
  g_assert_cmpstr (self->messages->str, ==, expected);
}
