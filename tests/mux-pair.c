/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"

#define LINK_LOW (128 * 1024)

static void
send_cb (GBytes *message, gboolean text, gboolean counted, void *user_data)
{
  Side *self = user_data;
  size_t length;
  const char *data = g_bytes_get_data (message, &length);

  g_assert_true (text);
  self->n_messages++;
  if (self->peer == NULL)
    {
      g_string_append_len (self->sent, data, (gssize) length);
      g_string_append_c (self->sent, '\n');
      return;
    }
  g_queue_push_tail (&self->peer->inbox, g_bytes_ref (message));
  self->queued += length;
  self->was_high |= self->queued > LINK_LOW;
}

static size_t
get_queued_cb (void *user_data)
{
  Side *self = user_data;

  return self->endless ? 0 : self->queued;
}

static void
set_reading_cb (gboolean reading, void *user_data)
{
  Side *self = user_data;

  g_assert_cmpint (self->reading, !=, reading);
  self->reading = reading;
  self->n_pauses += !reading;
}

static void
listen_ok_cb (guint32 id, const char *address, guint16 port, gboolean confirmed, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "listen_ok %u %u %s\n", id, port,
                          confirmed ? "confirmed" : "unconfirmed");
  if (self->takes_back)
    vt_mux_unlisten (self->mux, id);
}

static void
listen_failed_cb (guint32 id, const GError *error, void *user_data)
{
  Side *self = user_data;

  g_assert_true (error->domain == VT_ERROR);
  g_string_append_printf (self->heard, "listen_failed %u %s\n", id,
                          vt_error_code_to_word (error->code));
  if (self->asks_again != 0)
    vt_mux_listen (self->mux, self->asks_again++, &(VtMuxListen){ .port = 8080 });
}

static User *
add_user (Side *self, VtMuxStream *stream)
{
  User *user = g_new0 (User, 1);

  user->side = self;
  user->stream = vt_mux_stream_ref (stream);
  user->received = g_byte_array_new ();
  user->heard = g_string_new (NULL);
  user->reads = !self->lazy;
  user->seed = vt_mux_stream_get_id (stream);
  g_ptr_array_add (self->users, user);
  return user;
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  Side *self = user_data;
  User *user = add_user (self, stream);

  if (!self->quiet)
    g_string_append_printf (self->heard, "stream_opened %u on %u\n", vt_mux_stream_get_id (stream),
                            listen_id);
  if (self->lazy)
    return;
  user_listen (user);
  vt_mux_stream_accept (stream);
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  Side *self = user_data;

  g_assert_null (listen->address);
  self->last_listen = id;
  if (!self->quiet)
    g_string_append_printf (self->heard, "listen_requested %u %u\n", id, listen->port);
}

static void
unlistened_cb (guint32 id, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "unlistened %u\n", id);
}

static void
failed_cb (const GError *error, void *user_data)
{
  Side *self = user_data;

  g_assert_true (error->domain == VT_ERROR);
  g_string_append_printf (self->heard, "failed %s\n", vt_error_code_to_word (error->code));
  side_drop_mux (self, error);
}

static void
rtt_measured_cb (gint64 rtt, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "rtt %" G_GINT64_FORMAT "\n", rtt);
}

static const VtMuxHandlers mux_handlers = {
  .send = send_cb,
  .get_queued = get_queued_cb,
  .set_reading = set_reading_cb,
  .listen_ok = listen_ok_cb,
  .listen_failed = listen_failed_cb,
  .stream_opened = stream_opened_cb,
  .listen_requested = listen_requested_cb,
  .unlistened = unlistened_cb,
  .failed = failed_cb,
  .rtt_measured = rtt_measured_cb,
};

static void
user_free (User *self)
{
  user_release (self);
  g_byte_array_unref (self->received);
  g_string_free (self->heard, TRUE);
  g_clear_error (&self->error);
  g_free (self);
}

Side *
side_new (VtMuxRole role, VtClock *clock, const VtMuxConfig *config)
{
  Side *self = g_new0 (Side, 1);
  VtMuxConfig defaults;

  vt_mux_config_init (&defaults, role);
  self->clock = vt_clock_ref (clock);
  self->reading = TRUE;
  self->sent = g_string_new (NULL);
  self->heard = g_string_new (NULL);
  self->users = g_ptr_array_new_with_free_func ((GDestroyNotify) user_free);
  self->mux = vt_mux_new (config != NULL ? config : &defaults, clock, &mux_handlers, self);
  return self;
}

void
side_drop_mux (Side *self, const GError *error)
{
  VtMux *mux = g_steal_pointer (&self->mux);

  if (mux != NULL)
    vt_mux_free (mux, error);
}

void
side_free (Side *self)
{
  side_drop_mux (self, NULL);
  g_ptr_array_unref (self->users);
  g_queue_clear_full (&self->inbox, (GDestroyNotify) g_bytes_unref);
  g_string_free (self->sent, TRUE);
  g_string_free (self->heard, TRUE);
  vt_clock_unref (self->clock);
  g_free (self);
}

void
side_say (Side *self, const char *format, ...)
{
  g_autoptr(GBytes) message = NULL;
  va_list arguments;
  char *text;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  message = g_bytes_new_take (text, strlen (text));
  vt_mux_receive (self->mux, TRUE, message);
}

void
side_say_data (Side *self, guint32 stream_id, size_t length)
{
  g_autofree char *data = g_malloc0 (length);
  g_autofree char *base64 = g_base64_encode ((uint8_t *) data, length);

  side_say (self, "{\"type\":\"data\",\"stream_id\":%u,\"data\":\"%s\"}", stream_id, base64);
}

static void
expect (GString *written, const char *expected)
{
  g_autofree char *lines = g_strconcat (expected, *expected != '\0' ? "\n" : "", NULL);

  g_assert_cmpstr (written->str, ==, lines);
  g_string_truncate (written, 0);
}

void
side_expect_sent (Side *self, const char *expected)
{
  expect (self->sent, expected);
}

void
side_expect_heard (Side *self, const char *expected)
{
  expect (self->heard, expected);
}

User *
side_get_user (Side *self, unsigned int index)
{
  g_assert_cmpuint (index, <, self->users->len);
  return self->users->pdata[index];
}

User *
side_open (Side *self, guint32 listen_id)
{
  g_autoptr(GError) error = NULL;
  VtMuxStream *stream = vt_mux_open_stream (self->mux, listen_id, NULL, NULL, &error);
  User *user;

  g_assert_no_error (error);
  user = add_user (self, stream);
  user_listen (user);
  return user;
}

void
pair_join (Side *a, Side *b)
{
  a->peer = b;
  b->peer = a;
}

unsigned int
side_deliver (Side *self, unsigned int n)
{
  unsigned int delivered = 0;

  while (delivered < n && self->reading && self->inbox.length > 0)
    {
      g_autoptr(GBytes) message = g_queue_pop_head (&self->inbox);
      Side *peer = self->peer;

      delivered++;
      peer->queued -= g_bytes_get_size (message);
      if (self->mux != NULL)
        vt_mux_receive (self->mux, TRUE, message);
      if (peer->was_high && peer->queued < LINK_LOW)
        {
          peer->was_high = FALSE;
          if (peer->mux != NULL)
            vt_mux_note_writable (peer->mux);
        }
    }
  return delivered;
}

void
pair_settle (Side *a, Side *b)
{
  unsigned int n_still = 0;

  while (n_still < 3)
    {
      vt_clock_advance (a->clock, 1);
      if (side_deliver (a, G_MAXUINT) + side_deliver (b, G_MAXUINT) > 0)
        n_still = 0;
      else
        n_still++;
    }
}

void
pair_new_with_buffer (Side **client, Side **server, size_t max_buffer)
{
  g_autoptr(VtClock) clock = vt_clock_new_fake ();
  VtMuxConfig config;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  config.max_buffer = max_buffer;
  *client = side_new (VT_MUX_CLIENT, clock, &config);
  config.role = VT_MUX_SERVER;
  *server = side_new (VT_MUX_SERVER, clock, &config);
  pair_join (*client, *server);
  vt_mux_listen ((*client)->mux, 1, &(VtMuxListen){ .port = 8080 });
  pair_settle (*client, *server);
  vt_mux_listen_accept ((*server)->mux, 1, "127.0.0.1", 8080);
  pair_settle (*client, *server);
  side_expect_heard (*server, "listen_requested 1 8080");
  side_expect_heard (*client, "listen_ok 1 8080 confirmed");
}

void
pair_new (Side **client, Side **server)
{
  pair_new_with_buffer (client, server, 128 * 1024 * 1024);
}

void
pair_free (Side *client, Side *server)
{
  side_free (client);
  side_free (server);
}

void
user_read_all (User *self)
{
  const uint8_t *data;
  size_t length;

  while ((data = vt_mux_stream_peek (self->stream, &length)) != NULL)
    {
      g_assert_cmpuint (length, >, 0);
      g_byte_array_append (self->received, data, (unsigned int) length);
      vt_mux_stream_consume (self->stream, length);
    }
  g_assert_cmpuint (length, ==, 0);
}

static void
write_more (User *self)
{
  while (self->written < self->to_write)
    {
      size_t space;
      uint8_t *place = vt_mux_stream_begin_write (self->stream, &space);

      if (place == NULL)
        return;
      space = MIN (space, self->to_write - self->written);
      for (size_t i = 0; i < space; i++)
        place[i] = pattern_at (self->seed, self->written + i);
      self->written += space;
      vt_mux_stream_end_write (self->stream, space);
    }
}

static void
opened_cb (VtMuxStream *stream, void *user_data)
{
  g_string_append_c (((User *) user_data)->heard, 'o');
}

static void
readable_cb (VtMuxStream *stream, void *user_data)
{
  User *self = user_data;

  g_string_append_c (self->heard, 'r');
  if (self->reads)
    user_read_all (self);
}

static void
writable_cb (VtMuxStream *stream, void *user_data)
{
  User *self = user_data;

  g_string_append_c (self->heard, 'w');
  write_more (self);
}

static void
closed_cb (VtMuxStream *stream, const GError *error, void *user_data)
{
  User *self = user_data;

  g_string_append_c (self->heard, error == NULL ? 'c' : 'C');
  g_clear_error (&self->error);
  self->error = error == NULL ? NULL : g_error_copy (error);
}

void
user_listen (User *self)
{
  static const VtMuxStreamHandlers handlers = {
    .opened = opened_cb,
    .readable = readable_cb,
    .writable = writable_cb,
    .closed = closed_cb,
  };

  vt_mux_stream_set_handlers (self->stream, &handlers, self);
}

void
user_expect (User *self, const char *heard)
{
  g_assert_cmpstr (self->heard->str, ==, heard);
  g_string_truncate (self->heard, 0);
}

void
user_write (User *self, size_t length)
{
  self->to_write += length;
  write_more (self);
}

void
user_expect_received (User *self, unsigned int seed, size_t length)
{
  g_assert_cmpuint (self->received->len, ==, length);
  for (size_t i = 0; i < length; i++)
    if (self->received->data[i] != pattern_at (seed, i))
      g_error ("Byte %zu of %zu differs", i, length);
}

void
user_release (User *self)
{
  if (self->stream != NULL)
    vt_mux_stream_set_handlers (self->stream, NULL, NULL);
  g_clear_pointer (&self->stream, vt_mux_stream_unref);
}

uint8_t
pattern_at (unsigned int seed, size_t offset)
{
  return (uint8_t) ((offset * 2654435761u + seed * 40503u) >> 13);
}
