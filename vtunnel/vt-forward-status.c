/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-forward-struct-private.h"

#include <string.h>

#include "vt-error-private.h"

/**
 * VtForwardState:
 * @VT_FORWARD_STATE_IDLE: nobody listens for it
 * @VT_FORWARD_STATE_PENDING: the server was asked, or will be once there is a connection to it;
 *   if it has refused, and is asked again after a while, [property@Vt.Forward:error] says why
 * @VT_FORWARD_STATE_LISTENING: the server has its port open
 * @VT_FORWARD_STATE_FAILED: the server has refused; [property@Vt.Forward:error] says why
 * @VT_FORWARD_STATE_TARGET_DOWN: the server has its port open, but the target does not answer, as
 *   [property@Vt.Forward:health-interval] asks to be told; [property@Vt.Forward:error] says why
 *
 * The states of a [class@Vt.Forward].
 *
 * Since: 1.0
 */

static guint64
sum_of_streams (VtForward *self, guint64 (*get_bytes) (VtStream *stream))
{
  guint64 sum = 0;

  for (unsigned int i = 0; i < vt_list_get_length (self->streams); i++)
    {
      g_autoptr(VtStream) stream = g_list_model_get_item (G_LIST_MODEL (self->streams), i);

      sum += get_bytes (stream);
    }
  return sum;
}

/**
 * VtForward:bound-port:
 *
 * The port that the server has opened; 0 while it has none open.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_bound_port: (get-property bound-port)
 * @self: a forward
 *
 * Gets the port that the server has opened.
 *
 * Returns: the port, or 0 while none is open
 *
 * Since: 1.0
 */
guint16
vt_forward_get_bound_port (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->bound_port;
}

void
vt_forward_set_bound_port (VtForward *self, guint16 port)
{
  if (self->bound_port == port)
    return;
  self->bound_port = port;
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_BOUND_PORT]);
}

/**
 * VtForward:url:
 *
 * Where users find it, as the server says: `https://app.example.com`; %NULL while it does not
 * listen, or if the server says nothing. For a name with `*` it has that in the place of the label.
 *
 * It is for people. It begins with `http://` or `https://` and has nothing but printable ASCII, but
 * is otherwise whatever the server has sent.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_url: (get-property url)
 * @self: a forward
 *
 * Gets where users find it, as the server says.
 *
 * Returns: (nullable) (transfer none): the URL, or %NULL if it is not known
 *
 * Since: 1.0
 */
const char *
vt_forward_get_url (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->url;
}

static gboolean
is_web_url (const char *text)
{
  if (!g_str_has_prefix (text, "http://") && !g_str_has_prefix (text, "https://"))
    return FALSE;
  for (const char *at = text; *at != '\0'; at++)
    if (!g_ascii_isgraph (*at) || strchr ("\"<>\\^`{|}", *at) != NULL)
      return FALSE;
  return strchr (text, '/')[2] != '\0';
}

void
vt_forward_set_url (VtForward *self, const char *url)
{
  if (url != NULL && !is_web_url (url))
    {
      g_debug ("The server says a URL that is none");
      url = NULL;
    }
  if (g_strcmp0 (self->url, url) == 0)
    return;
  g_free (self->url);
  self->url = g_strdup (url);
  g_object_notify_by_pspec (G_OBJECT (self), vt_forward_props[VT_FORWARD_PROP_URL]);
}

/**
 * VtForward:state:
 *
 * What is known of the forward at present.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_state: (get-property state)
 * @self: a forward
 *
 * Gets what is known of the forward at present.
 *
 * Returns: the state
 *
 * Since: 1.0
 */
VtForwardState
vt_forward_get_state (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), VT_FORWARD_STATE_IDLE);

  return self->state;
}

/**
 * VtForward:error:
 *
 * Why the server does not listen; %NULL unless something went wrong. It is one of
 * [error@Vt.Error].
 *
 * It is also why the target does not answer, in the state %VT_FORWARD_STATE_TARGET_DOWN.
 *
 * It is also set while the forward is pending because the server, which had granted it in an
 * earlier session, has refused it, and is asked again after a while.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_error: (get-property error)
 * @self: a forward
 *
 * Gets why the server does not listen.
 *
 * Returns: (nullable) (transfer none): the error, valid until it changes; %NULL unless something
 *   went wrong
 *
 * Since: 1.0
 */
const GError *
vt_forward_get_error (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), NULL);

  return self->error;
}

void
vt_forward_set_state (VtForward *self, VtForwardState state, const GError *error)
{
  GObject *object = G_OBJECT (self);

  g_object_freeze_notify (object);
  if (self->state != state)
    {
      self->state = state;
      g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_STATE]);
    }
  if (!vt_error_is_same (self->error, error))
    {
      g_autoptr(GError) old = g_steal_pointer (&self->error);

      self->error = error != NULL ? g_error_copy (error) : NULL;
      g_object_notify_by_pspec (object, vt_forward_props[VT_FORWARD_PROP_ERROR]);
    }
  g_object_thaw_notify (object);
}

void
vt_forward_set_dial_func (VtForward *self, VtForwardDialFunc func, void *user_data)
{
  self->dialled = func;
  self->dialled_data = user_data;
}

void
vt_forward_note_dial (VtForward *self, const GError *error)
{
  if (self->dialled != NULL)
    self->dialled (error, self->dialled_data);
}

gboolean
vt_forward_claim (VtForward *self, gpointer owner)
{
  if (owner != NULL && self->owner != NULL && self->owner != owner)
    return FALSE;
  self->owner = owner;
  return TRUE;
}

void
vt_forward_add_stream (VtForward *self, VtStream *stream)
{
  vt_list_append (self->streams, stream);
}

void
vt_forward_remove_stream (VtForward *self, VtStream *stream)
{
  if (!vt_list_contains (self->streams, stream))
    return;
  self->ended_bytes_sent += vt_stream_get_bytes_sent (stream);
  self->ended_bytes_received += vt_stream_get_bytes_received (stream);
  vt_list_remove (self->streams, stream);
}

/**
 * VtForward:n-streams:
 *
 * The number of streams of this forward that are open.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_n_streams: (get-property n-streams)
 * @self: a forward
 *
 * Gets the number of streams of this forward that are open.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
unsigned int
vt_forward_get_n_streams (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return vt_list_get_length (self->streams);
}

/**
 * VtForward:bytes-sent:
 *
 * Bytes that this side has sent into the tunnel, over all streams of this forward, open and ended.
 *
 * It can be read at any time, but it notifies only when a stream is opened or ends: a display that
 * moves reads it by a clock of its own.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_bytes_sent: (get-property bytes-sent)
 * @self: a forward
 *
 * Gets how much this side has sent into the tunnel, over all streams of this forward.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
guint64
vt_forward_get_bytes_sent (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->ended_bytes_sent + sum_of_streams (self, vt_stream_get_bytes_sent);
}

/**
 * VtForward:bytes-received:
 *
 * Bytes that this side has received from the tunnel, over all streams of this forward, open and
 * ended. As [property@Vt.Forward:bytes-sent], it notifies only when a stream is opened or ends.
 *
 * Since: 1.0
 */
/**
 * vt_forward_get_bytes_received: (get-property bytes-received)
 * @self: a forward
 *
 * Gets how much this side has received from the tunnel, over all streams of this forward.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
guint64
vt_forward_get_bytes_received (VtForward *self)
{
  g_return_val_if_fail (VT_IS_FORWARD (self), 0);

  return self->ended_bytes_received + sum_of_streams (self, vt_stream_get_bytes_received);
}
