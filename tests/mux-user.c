/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "mux-pair.h"

User *
user_new (Side *side, VtMuxStream *stream)
{
  User *user = g_new0 (User, 1);

  user->side = side;
  user->stream = vt_mux_stream_ref (stream);
  user->received = g_byte_array_new ();
  user->heard = g_string_new (NULL);
  user->reads = !side->lazy;
  user->unsent = -1;
  user->seed = vt_mux_stream_get_id (stream);
  g_ptr_array_add (side->users, user);
  return user;
}

void
user_free (User *self)
{
  user_release (self);
  g_byte_array_unref (self->received);
  g_string_free (self->heard, TRUE);
  g_clear_error (&self->error);
  g_free (self);
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
      space = MIN (space, self->max_piece > 0 ? self->max_piece : space);
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
  if (self->meddle != NULL)
    self->meddle (self);
}

static void
writable_cb (VtMuxStream *stream, void *user_data)
{
  User *self = user_data;

  g_string_append_c (self->heard, 'w');
  write_more (self);
  if (self->meddle != NULL)
    self->meddle (self);
}

static void
closed_cb (VtMuxStream *stream, const GError *error, void *user_data)
{
  User *self = user_data;

  g_string_append_c (self->heard, error == NULL ? 'c' : 'C');
  g_clear_error (&self->error);
  self->error = error == NULL ? NULL : g_error_copy (error);
}

static gssize
get_unsent_cb (VtMuxStream *stream, void *user_data)
{
  User *self = user_data;

  self->n_asked++;
  return self->unsent;
}

void
user_listen (User *self)
{
  static const VtMuxStreamHandlers handlers = {
    .opened = opened_cb,
    .readable = readable_cb,
    .writable = writable_cb,
    .closed = closed_cb,
    .get_unsent = get_unsent_cb,
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
