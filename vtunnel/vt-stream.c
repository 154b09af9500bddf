/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-stream-private.h"

#include "vt-stream-half-private.h"

/**
 * VtStream:
 *
 * One tunnelled connection: what a user who connected to a forwarded port writes and reads.
 *
 * On the client's side, where the forward has a target, the library joins the stream and the target
 * by itself; the `VtStream` is then there to be looked at, and reading or writing it fails with
 * `G_IO_ERROR_BUSY`. Where it has none, [signal@Vt.Forward::incoming] hands the stream to the
 * application, which uses it as any [class@Gio.IOStream], or passes it on to something that takes
 * one, such as `soup_server_accept_iostream ()`; that function asks for two addresses, and
 * [the guide](share-folder.html) shows which. By returning %TRUE from that signal the application
 * accepts the stream; what it writes before that leaves then.
 *
 * On the server's side, the library joins each stream and the connection of the user who came to a
 * port. The application can open a stream itself, with [method@Vt.Session.open_stream_async], and
 * then is the user: that one too is the application's to read and write.
 *
 * ```c
 * static gboolean
 * incoming_cb (VtForward *forward, VtStream *stream, gpointer user_data)
 * {
 *   GOutputStream *output = g_io_stream_get_output_stream (G_IO_STREAM (stream));
 *
 *   g_output_stream_write_all_async (output, "hello\n", 6, G_PRIORITY_DEFAULT, NULL,
 *                                    written_cb, g_object_ref (stream));
 *   return TRUE;
 * }
 * ```
 *
 * ## Lifetime
 *
 * Nothing but the application keeps such a stream alive, not even a read that is under way: hold a
 * reference to the `VtStream` itself while it is in use. Disposing of a stream that is not closed
 * resets it, and the user sees a broken connection.
 *
 * Closing ([method@Gio.IOStream.close]) never blocks and is graceful: what was written before has
 * been taken over by the tunnel and is delivered, also when the object goes away right after it;
 * a user who goes on sending all the same sees the connection reset after 5 seconds.
 * Closing the output stream alone ends that direction. Version 1 of the tunnel's protocol cannot
 * say that one direction ends: there it ends both, and what the other side had sent until then
 * can still be read.
 *
 * A stream that broke fails with `G_IO_ERROR_CONNECTION_CLOSED`; [property@Vt.Stream:error] says
 * why, in the words of [error@Vt.Error].
 *
 * ## Threads
 *
 * A stream belongs to the main context it was made in. Its asynchronous and its pollable functions
 * never block and use no thread, and are to be called from there. The synchronous ones may be
 * called from other threads too, and wait there while that main context runs; in the stream's own
 * thread they fail with `G_IO_ERROR_WOULD_BLOCK` where they would have to wait for the main
 * context, which they keep from running.
 *
 * Since: 1.0
 */

typedef enum {
  PROP_ID = 1,
  PROP_FORWARD,
  PROP_USER_ADDRESS,
  PROP_OPENED_AT,
  PROP_BYTES_SENT,
  PROP_BYTES_RECEIVED,
  PROP_ERROR,
} VtStreamProperty;

static GParamSpec *props[PROP_ERROR + 1];

G_DEFINE_FINAL_TYPE (VtStream, vt_stream, G_TYPE_IO_STREAM)

static GInputStream *
vt_stream_get_input_stream (GIOStream *stream)
{
  VtStream *self = VT_STREAM (stream);

  /* Also the threads that use synchronous calls come here. */
  if (g_once_init_enter (&self->input))
    g_once_init_leave (&self->input, vt_stream_input_new (self));
  return G_INPUT_STREAM (self->input);
}

static GOutputStream *
vt_stream_get_output_stream (GIOStream *stream)
{
  VtStream *self = VT_STREAM (stream);

  if (g_once_init_enter (&self->output))
    g_once_init_leave (&self->output, vt_stream_output_new (self));
  return G_OUTPUT_STREAM (self->output);
}

static gboolean
vt_stream_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  VtStream *self = VT_STREAM (stream);

  /* GIO closes what is disposed of: no reason to make two objects that only serve to be closed. */
  if (self->mux == NULL)
    return TRUE;
  return G_IO_STREAM_CLASS (vt_stream_parent_class)->close_fn (stream, cancellable, error);
}

static gboolean
homecoming_cb (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

/* The last reference was dropped by another thread, but ending the stream is for its own. */
static void
dispose_at_home (VtStream *self)
{
  g_autoptr(GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "[vtunnel] stream dispose");
  g_source_set_callback (source, homecoming_cb, g_object_ref (self), g_object_unref);
  g_source_attach (source, self->context);
}

static void
vt_stream_dispose (GObject *object)
{
  VtStream *self = VT_STREAM (object);

  /* Whom it is lent to has references to both, and ends it. */
  if (self->mux != NULL && !self->lent)
    {
      if (g_thread_self () != self->thread && !g_main_context_is_owner (self->context))
        {
          dispose_at_home (self);
          return;
        }
      vt_stream_let_go (self);
    }
  if (self->input != NULL)
    {
      vt_stream_half_detach (vt_stream_input_get_half (self->input));
      g_input_stream_close (G_INPUT_STREAM (self->input), NULL, NULL);
    }
  if (self->output != NULL)
    {
      vt_stream_half_detach (vt_stream_output_get_half (self->output));
      g_output_stream_close (G_OUTPUT_STREAM (self->output), NULL, NULL);
    }
  G_OBJECT_CLASS (vt_stream_parent_class)->dispose (object);
}

static void
vt_stream_finalize (GObject *object)
{
  VtStream *self = VT_STREAM (object);

  g_clear_object (&self->input);
  g_clear_object (&self->output);
  g_clear_object (&self->forward);
  g_clear_object (&self->user_address);
  g_clear_pointer (&self->opened_at, g_date_time_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (vt_stream_parent_class)->finalize (object);
}

static void
vt_stream_get_property (GObject *object, unsigned int property_id, GValue *value, GParamSpec *pspec)
{
  VtStream *self = VT_STREAM (object);

  switch ((VtStreamProperty) property_id)
    {
    case PROP_ID:
      g_value_set_uint (value, self->id);
      break;
    case PROP_FORWARD:
      g_value_set_object (value, self->forward);
      break;
    case PROP_USER_ADDRESS:
      g_value_set_object (value, self->user_address);
      break;
    case PROP_OPENED_AT:
      g_value_set_boxed (value, vt_stream_get_opened_at (self));
      break;
    case PROP_BYTES_SENT:
      g_value_set_uint64 (value, vt_stream_get_bytes_sent (self));
      break;
    case PROP_BYTES_RECEIVED:
      g_value_set_uint64 (value, vt_stream_get_bytes_received (self));
      break;
    case PROP_ERROR:
      g_value_set_boxed (value, self->error);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

#define PROP_FLAGS (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY)

static void
describe_origin (void)
{
  /**
   * VtStream:id: (getter get_id)
   *
   * The number of the stream in its session, as it stands in logs of both sides.
   *
   * Since: 1.0
   */
  props[PROP_ID] = g_param_spec_uint ("id", NULL, NULL, 0, G_MAXUINT32, 0, PROP_FLAGS);
  /**
   * VtStream:forward: (getter get_forward)
   *
   * The forward that the user connected to.
   *
   * Since: 1.0
   */
  props[PROP_FORWARD] = g_param_spec_object ("forward", NULL, NULL, VT_TYPE_FORWARD, PROP_FLAGS);
  /**
   * VtStream:user-address: (getter get_user_address)
   *
   * The address that the user connected from, or %NULL where it is not known. The client's side
   * knows it with version 2 of the tunnel's protocol; version 1 does not tell it.
   *
   * Since: 1.0
   */
  props[PROP_USER_ADDRESS] =
      g_param_spec_object ("user-address", NULL, NULL, G_TYPE_SOCKET_ADDRESS, PROP_FLAGS);
  /**
   * VtStream:opened-at: (getter get_opened_at)
   *
   * When the user connected, as this side saw it.
   *
   * Since: 1.0
   */
  props[PROP_OPENED_AT] =
      g_param_spec_boxed ("opened-at", NULL, NULL, G_TYPE_DATE_TIME, PROP_FLAGS);
}

static void
describe_state (void)
{
  /**
   * VtStream:bytes-sent: (getter get_bytes_sent)
   *
   * The bytes that this side has sent into the tunnel. Notified at the end of the stream only.
   *
   * Since: 1.0
   */
  props[PROP_BYTES_SENT] =
      g_param_spec_uint64 ("bytes-sent", NULL, NULL, 0, G_MAXUINT64, 0, PROP_FLAGS);
  /**
   * VtStream:bytes-received: (getter get_bytes_received)
   *
   * The bytes that have come out of the tunnel. Notified at the end of the stream only.
   *
   * Since: 1.0
   */
  props[PROP_BYTES_RECEIVED] =
      g_param_spec_uint64 ("bytes-received", NULL, NULL, 0, G_MAXUINT64, 0, PROP_FLAGS);
  /**
   * VtStream:error: (getter get_error)
   *
   * Why the stream ended, of [error@Vt.Error]; %NULL while it is open, and if it ended in order.
   *
   * Since: 1.0
   */
  props[PROP_ERROR] = g_param_spec_boxed ("error", NULL, NULL, G_TYPE_ERROR, PROP_FLAGS);
}

static void
vt_stream_class_init (VtStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GIOStreamClass *io_class = G_IO_STREAM_CLASS (klass);

  object_class->dispose = vt_stream_dispose;
  object_class->finalize = vt_stream_finalize;
  object_class->get_property = vt_stream_get_property;
  /* close_async () is GIO's own: it closes the two halves, which need no thread for that. */
  io_class->get_input_stream = vt_stream_get_input_stream;
  io_class->get_output_stream = vt_stream_get_output_stream;
  io_class->close_fn = vt_stream_close;
  describe_origin ();
  describe_state ();
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
vt_stream_init (VtStream *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  self->opened_time = g_get_real_time ();
}

VtStream *
vt_stream_new (VtMuxStream *stream, VtForward *forward, GSocketAddress *user)
{
  VtStream *self = g_object_new (VT_TYPE_STREAM, NULL);

  self->mux = vt_mux_stream_ref (stream);
  self->id = vt_mux_stream_get_id (stream);
  g_set_object (&self->forward, forward);
  g_set_object (&self->user_address, user);
  vt_stream_drive (self);
  return self;
}

VtMuxStream *
vt_stream_lend (VtStream *self)
{
  g_assert (!self->lent && self->mux != NULL);
  self->lent = TRUE;
  vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  return self->mux;
}

void
vt_stream_finish (VtStream *self, const GError *error)
{
  g_autoptr(VtStream) alive = NULL;
  VtStreamFinishedFunc finished = g_steal_pointer (&self->finished);

  if (self->over)
    return;
  alive = g_object_ref (self);
  self->over = TRUE;
  g_clear_pointer (&self->drain, vt_timer_free);
  if (error != NULL)
    self->error = g_error_copy (error);
  if (self->lent)
    {
      vt_stream_keep_counters (self);
      g_clear_pointer (&self->mux, vt_mux_stream_unref);
    }
  vt_stream_wake (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BYTES_SENT]);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BYTES_RECEIVED]);
  if (error != NULL)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_ERROR]);
  if (finished != NULL)
    finished (self, self->error, self->finished_data);
  /* Unless somebody else sends what is left. */
  if (self->gone != NULL)
    g_steal_pointer (&self->gone) (self->gone_data);
}

void
vt_stream_set_finished_func (VtStream *self, VtStreamFinishedFunc func, void *user_data)
{
  self->finished = func;
  self->finished_data = user_data;
}

void
vt_stream_set_answered_func (VtStream *self, VtStreamAnsweredFunc func, void *user_data)
{
  self->answered = func;
  self->answered_data = user_data;
}

void
vt_stream_set_gone_func (VtStream *self, GDestroyNotify func, void *user_data)
{
  self->gone = func;
  self->gone_data = user_data;
}

/**
 * vt_stream_get_id: (get-property id)
 * @self: a stream
 *
 * Gets the number of the stream in its session.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
unsigned int
vt_stream_get_id (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), 0);

  return self->id;
}

/**
 * vt_stream_get_forward: (get-property forward)
 * @self: a stream
 *
 * Gets the forward that the user connected to.
 *
 * Returns: (transfer none) (nullable): the forward
 *
 * Since: 1.0
 */
VtForward *
vt_stream_get_forward (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), NULL);

  return self->forward;
}

/**
 * vt_stream_get_user_address: (get-property user-address)
 * @self: a stream
 *
 * Gets the address that the user connected from.
 *
 * Returns: (transfer none) (nullable): the address, or %NULL if this side was not told
 *
 * Since: 1.0
 */
GSocketAddress *
vt_stream_get_user_address (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), NULL);

  return self->user_address;
}

/**
 * vt_stream_get_opened_at: (get-property opened-at)
 * @self: a stream
 *
 * Gets the time at which the user connected, as this side saw it.
 *
 * Returns: (transfer none): the time, in UTC
 *
 * Since: 1.0
 */
GDateTime *
vt_stream_get_opened_at (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), NULL);

  /* Most streams come and go without being asked. */
  if (g_once_init_enter (&self->opened_at))
    {
      g_autoptr(GDateTime) second =
          g_date_time_new_from_unix_utc (self->opened_time / G_TIME_SPAN_SECOND);
      GTimeSpan rest = self->opened_time % G_TIME_SPAN_SECOND;

      g_once_init_leave (&self->opened_at, g_date_time_add (second, rest));
    }
  return self->opened_at;
}

/**
 * vt_stream_get_bytes_sent: (get-property bytes-sent)
 * @self: a stream
 *
 * Gets how much this side has sent into the tunnel, up to now or up to the end of the stream.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
guint64
vt_stream_get_bytes_sent (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), 0);

  return self->mux != NULL ? vt_mux_stream_get_bytes_sent (self->mux) : self->bytes_sent;
}

/**
 * vt_stream_get_bytes_received: (get-property bytes-received)
 * @self: a stream
 *
 * Gets how much has come out of the tunnel, up to now or up to the end of the stream.
 *
 * Returns: the number of bytes
 *
 * Since: 1.0
 */
guint64
vt_stream_get_bytes_received (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), 0);

  return self->mux != NULL ? vt_mux_stream_get_bytes_received (self->mux) : self->bytes_received;
}

/**
 * vt_stream_get_error: (get-property error)
 * @self: a stream
 *
 * Gets why the stream ended.
 *
 * Returns: (transfer none) (nullable): an error of [error@Vt.Error], or %NULL while the stream is
 *   open and if it ended in order
 *
 * Since: 1.0
 */
const GError *
vt_stream_get_error (VtStream *self)
{
  g_return_val_if_fail (VT_IS_STREAM (self), NULL);

  return self->error;
}
