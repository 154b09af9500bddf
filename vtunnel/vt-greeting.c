/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-greeting-private.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <glib/gi18n-lib.h>
#include <vtunnel/vt-version.h>

#include "vt-error.h"
#include "vt-secret-private.h"

/* Bytes of a session's name and of its secret. */
#define TOKEN_SIZE 16

/* From the kernel: GLib's generators are not made for secrets. */
static char *
new_token (GError **error)
{
  uint8_t bytes[TOKEN_SIZE];

  if (getrandom (bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_FAILED, _ ("No random numbers: %s"),
                   g_strerror (errno));
      return NULL;
    }
  return vt_secret_encode (bytes, sizeof bytes);
}

gboolean
vt_credentials_init (VtCredentials *self, GError **error)
{
  *self = (VtCredentials){ 0 };
  self->session = new_token (error);
  self->secret = self->session != NULL ? new_token (error) : NULL;
  if (self->secret == NULL)
    vt_credentials_clear (self);
  return self->secret != NULL;
}

void
vt_credentials_copy (VtCredentials *self, const char *session, const char *secret)
{
  *self = (VtCredentials){ g_strdup (session), g_strdup (secret) };
}

void
vt_credentials_clear (VtCredentials *self)
{
  g_clear_pointer (&self->session, vt_secret_free);
  g_clear_pointer (&self->secret, vt_secret_free);
}

/* The length is no secret: all have the same. */
static gboolean
is_equal (const char *own, const char *given)
{
  size_t length = strlen (own);
  unsigned int difference = 0;

  if (strlen (given) != length)
    return FALSE;
  for (size_t i = 0; i < length; i++)
    difference |= (unsigned int) (own[i] ^ given[i]);
  return difference == 0;
}

gboolean
vt_credentials_match (const VtCredentials *self, const char *session, const char *secret)
{
  gboolean same_session = is_equal (self->session, session);
  gboolean same_secret = is_equal (self->secret, secret);

  return same_session & same_secret;
}

GBytes *
vt_greeting_new_hello (const VtControlLimits *limits, const VtResumption *resumption)
{
  VtControl hello = {
    .type = VT_CONTROL_HELLO,
    .agent = (char *) "libvtunnel/" VT_VERSION_STRING,
    .limits = *limits,
  };

  if (resumption != NULL)
    {
      hello.session = resumption->credentials->session;
      hello.secret = resumption->credentials->secret;
      hello.received = resumption->received;
      hello.attempt = resumption->attempt;
    }
  return vt_codec_control_encode (&hello);
}

GBytes *
vt_greeting_new_welcome (const VtControlLimits *limits,
                         const VtResumption *resumption,
                         gboolean resumed,
                         guint32 resume_timeout)
{
  const VtControl welcome = {
    .type = VT_CONTROL_WELCOME,
    .session = resumption->credentials->session,
    .secret = resumption->credentials->secret,
    .resumed = resumed,
    .received = resumption->received,
    .resume_timeout = resume_timeout,
    .limits = *limits,
  };

  return vt_codec_control_encode (&welcome);
}

gboolean
vt_greeting_read (GBytes *message,
                  gboolean text,
                  unsigned int max_json_depth,
                  VtControlType expected,
                  VtControl *greeting,
                  GError **error)
{
  if (text && !vt_codec_control_decode (message, max_json_depth, greeting, error))
    return FALSE;
  if (text && greeting->type == expected)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_PROTOCOL,
                       "The session does not begin with a greeting");
  return FALSE;
}
