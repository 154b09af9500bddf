/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

#include <string.h>

#include "vt-error-private.h"

static void
send_cb (GBytes *message, gboolean text, gboolean counted, void *user_data)
{
  Side *self = user_data;

  g_assert_true (text || (counted && self->protocol == 2));
  self->n_messages++;
  if (self->peer != NULL && self->protocol == 2)
    wire_book_note_sent (&self->book, text, message);
  if (counted && self->replay != NULL)
    vt_replay_send (self->replay, message, text);
  else
    side_put (message, text, self);
}

static size_t
get_queued_cb (void *user_data)
{
  Side *self = user_data;

  return self->endless ? 0 : self->queued;
}

static size_t
get_kept_cb (void *user_data)
{
  Side *self = user_data;

  return self->replay != NULL ? vt_replay_get_kept (self->replay) : 0;
}

static gboolean
is_behind_cb (void *user_data)
{
  Side *self = user_data;

  return self->replay != NULL && vt_replay_is_behind (self->replay);
}

static void
set_reading_cb (gboolean reading, void *user_data)
{
  Side *self = user_data;

  g_assert_cmpuint (self->protocol, ==, 1);
  g_assert_cmpint (self->reading, !=, reading);
  self->reading = reading;
  self->n_pauses += !reading;
}

static void
listen_ok_cb (guint32 id,
              const char *address,
              guint16 port,
              const char *url,
              gboolean confirmed,
              void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "listen_ok %u %u %s", id, port,
                          confirmed ? "confirmed" : "unconfirmed");
  if (self->protocol == 2 && address != NULL)
    g_string_append_printf (self->heard, " at %s", address);
  if (url != NULL)
    g_string_append_printf (self->heard, " url %s", url);
  g_string_append_c (self->heard, '\n');
  if (self->takes_back)
    vt_mux_unlisten (self->mux, id);
}

static void
listen_failed_cb (guint32 id, const GError *error, unsigned int retry_after, void *user_data)
{
  Side *self = user_data;

  g_assert_true (error->domain == VT_ERROR);
  g_string_append_printf (self->heard, "listen_failed %u %s", id,
                          vt_error_code_to_word (error->code));
  if (self->protocol == 2)
    g_string_append_printf (self->heard, " %s", error->message);
  if (retry_after > 0)
    g_string_append_printf (self->heard, " in %u s", retry_after);
  g_string_append_c (self->heard, '\n');
  if (self->asks_again != 0)
    vt_mux_listen (self->mux, self->asks_again++, &(VtMuxListen){ .port = 8080 });
}

static void
stream_opened_cb (VtMuxStream *stream, guint32 listen_id, void *user_data)
{
  Side *self = user_data;
  User *user = user_new (self, stream);

  if (!self->quiet)
    g_string_append_printf (self->heard, "stream_opened %u on %u\n", vt_mux_stream_get_id (stream),
                            listen_id);
  if (self->lazy)
    return;
  user_listen (user);
  vt_mux_stream_accept (stream);
}

/* Only what v1 cannot say. */
static void
describe_listen (GString *to, const VtMuxListen *listen)
{
  if (listen->kind != VT_CONTROL_KIND_TCP)
    g_string_append_printf (to, " kind %d", (int) listen->kind);
  if (listen->address != NULL)
    g_string_append_printf (to, " at %s", listen->address);
  for (unsigned int i = 0; listen->names != NULL && listen->names[i] != NULL; i++)
    g_string_append_printf (to, " for %s", listen->names[i]);
}

static void
listen_requested_cb (guint32 id, const VtMuxListen *listen, void *user_data)
{
  Side *self = user_data;

  self->last_listen = id;
  if (self->quiet)
    return;
  g_string_append_printf (self->heard, "listen_requested %u %u", id, listen->port);
  describe_listen (self->heard, listen);
  g_string_append_c (self->heard, '\n');
}

static void
unlistened_cb (guint32 id, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "unlistened %u\n", id);
}

static void
unlisten_done_cb (guint32 id, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "unlisten_done %u\n", id);
}

static void
crowded_cb (gboolean crowded, void *user_data)
{
  Side *self = user_data;

  g_string_append (self->heard, crowded ? "crowded\n" : "not crowded\n");
}

static void
going_away_cb (const char *reason, unsigned int timeout, void *user_data)
{
  Side *self = user_data;

  g_string_append_printf (self->heard, "going_away %s %u\n", reason, timeout);
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
silent_cb (void *user_data)
{
  Side *self = user_data;
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, "Silence");

  g_string_append (self->heard, "silent\n");
  if (self->suspends)
    vt_mux_suspend (self->mux);
  else
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
  .get_kept = get_kept_cb,
  .is_behind = is_behind_cb,
  .set_reading = set_reading_cb,
  .listen_ok = listen_ok_cb,
  .listen_failed = listen_failed_cb,
  .stream_opened = stream_opened_cb,
  .listen_requested = listen_requested_cb,
  .unlistened = unlistened_cb,
  .failed = failed_cb,
  .silent = silent_cb,
  .rtt_measured = rtt_measured_cb,
  .crowded = crowded_cb,
};

/* Only v2 tells all of this. */
static VtMuxHandlers
get_handlers (unsigned int protocol)
{
  VtMuxHandlers handlers = mux_handlers;

  if (protocol == 2)
    {
      handlers.unlisten_done = unlisten_done_cb;
      handlers.going_away = going_away_cb;
    }
  return handlers;
}

Side *
side_new (VtMuxRole role, VtClock *clock, const VtMuxConfig *config)
{
  Side *self = g_new0 (Side, 1);
  VtMuxConfig defaults;
  VtMuxHandlers handlers;

  vt_mux_config_init (&defaults, role);
  config = config != NULL ? config : &defaults;
  handlers = get_handlers (config->protocol);
  self->protocol = config->protocol;
  wire_book_init (&self->book, role == VT_MUX_SERVER);
  vt_mux_config_get_limits (config, &self->book.ours);
  self->clock = vt_clock_ref (clock);
  self->reading = TRUE;
  self->sent = g_string_new (NULL);
  self->heard = g_string_new (NULL);
  self->users = g_ptr_array_new_with_free_func ((GDestroyNotify) user_free);
  self->mux = vt_mux_new (config, clock, &handlers, self);
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
  side_clear_inbox (self);
  g_clear_pointer (&self->replay, vt_replay_free);
  wire_book_clear (&self->book);
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

void
side_say_frames (Side *self, const char *format, ...)
{
  g_autoptr(GBytes) message = NULL;
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  message = wire_compose (text);
  vt_mux_receive (self->mux, FALSE, message);
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
  user = user_new (self, stream);
  user_listen (user);
  return user;
}
