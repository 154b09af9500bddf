/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-attempt-private.h"

#include "vt-close-code-private.h"
#include "vt-error.h"
#include "vt-greeter-private.h"
#include "vt-mux-private.h"
#include "vt-negotiation-private.h"
#include "vt-trunk-private.h"

/* Reference-counted: a dial ends in its own time, also when it was given up. */
struct _VtClientAttempt {
  VtClientAttemptHandlers handlers;
  void *user_data;
  GCancellable *dial;        /* owned */
  GBytes *hello;             /* owned */
  VtCredentials credentials; /* of the session that is asked for, NULLs: a new one */
  VtGreeter *greeter;        /* owned, NULL unless the server is to greet */
  gboolean freed;
};

static void
clear (void *data)
{
  VtClientAttempt *self = data;

  g_object_unref (self->dial);
  g_bytes_unref (self->hello);
  vt_credentials_clear (&self->credentials);
}

static void
release (VtClientAttempt *self)
{
  g_rc_box_release_full (self, clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtClientAttempt, release)

static void
fail_with_protocol_error (VtClientAttempt *self, const char *message)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, VT_ERROR_PROTOCOL, message);
  const VtClientFailure failure = { .error = error };

  vt_greeter_refuse (g_steal_pointer (&self->greeter), SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR,
                     message);
  self->handlers.failed (&failure, self->user_data);
}

/* NULL if the server said only what it may. */
static const char *
find_fault (VtClientAttempt *self, const VtControl *welcome)
{
  if (!welcome->resumed)
    return NULL;
  if (self->credentials.session == NULL)
    return "A session goes on that nobody asked for";
  if (!vt_credentials_match (&self->credentials, welcome->session, welcome->secret))
    return "Another session goes on than was asked for";
  return NULL;
}

static void
greeted_cb (VtGreeter *greeter, const VtControl *welcome, void *user_data)
{
  g_autoptr(VtClientAttempt) self = g_rc_box_acquire (user_data);
  const char *fault = find_fault (self, welcome);

  if (fault != NULL)
    fail_with_protocol_error (self, fault);
  else
    self->handlers.done (vt_greeter_take_link (greeter), welcome, self->user_data);
}

/* What the server says in closing is final where it refuses the client, and where another
 * connection has the session. */
static void
greeting_failed_cb (VtGreeter *greeter, unsigned int code, const GError *error, void *user_data)
{
  g_autoptr(VtClientAttempt) self = g_rc_box_acquire (user_data);
  /* The greeter goes with the attempt, and its error with it. */
  g_autoptr(GError) copy = g_error_copy (error);
  const VtClientFailure failure = {
    .error = copy,
    .hopeless = code == SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION || code == VT_CLOSE_REPLACED,
  };

  self->handlers.failed (&failure, self->user_data);
}

static void
greet (VtClientAttempt *self, SoupWebsocketConnection *connection, VtGate *gate)
{
  const VtGreeterHandlers handlers = {
    .greeted = greeted_cb,
    .failed = greeting_failed_cb,
  };

  self->greeter = vt_greeter_new (connection, gate, self->hello, NULL, &handlers, self);
}

static void
dialled_cb (GObject *source, GAsyncResult *result, void *user_data)
{
  g_autoptr(VtClientAttempt) self = user_data;
  g_autoptr(SoupWebsocketConnection) connection = NULL;
  g_autoptr(VtGate) gate = NULL;
  g_autoptr(GError) error = NULL;
  VtDialOutcome outcome = { 0 };
  VtClientFailure failure = { 0 };

  if (!vt_dialer_dial_finish (result, &connection, &gate, &outcome, &error))
    {
      failure = (VtClientFailure){ error, .hopeless = outcome.hopeless,
                                   .retry_after = outcome.retry_after };
      if (!self->freed)
        self->handlers.failed (&failure, self->user_data);
    }
  else if (self->freed)
    vt_gate_abort (gate, FALSE);
  else if (vt_negotiation_get_protocol (connection) == 1)
    self->handlers.done (vt_link_new (connection, gate, VT_TRUNK_MAX_MESSAGE (1), NULL, NULL), NULL,
                         self->user_data);
  else
    greet (self, g_steal_pointer (&connection), g_steal_pointer (&gate));
}

static GBytes *
new_hello (const VtResumption *resumption)
{
  VtMuxConfig config;
  VtControlLimits limits;

  vt_mux_config_init (&config, VT_MUX_CLIENT);
  vt_mux_config_get_limits (&config, &limits);
  return vt_greeting_new_hello (&limits, resumption);
}

VtClientAttempt *
vt_client_attempt_new (const VtDialRequest *dial,
                       const VtResumption *resumption,
                       const VtClientAttemptHandlers *handlers,
                       void *user_data)
{
  VtClientAttempt *self = g_rc_box_new0 (VtClientAttempt);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->dial = g_cancellable_new ();
  self->hello = new_hello (resumption);
  if (resumption != NULL)
    vt_credentials_copy (&self->credentials, resumption->credentials->session,
                         resumption->credentials->secret);
  vt_dialer_dial_async (dial, self->dial, dialled_cb, g_rc_box_acquire (self));
  return self;
}

void
vt_client_attempt_free (VtClientAttempt *self)
{
  g_autoptr(VtClientAttempt) owned = self;

  self->freed = TRUE;
  g_clear_pointer (&self->greeter, vt_greeter_free);
  g_cancellable_cancel (self->dial);
}
