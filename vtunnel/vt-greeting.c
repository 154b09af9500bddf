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

/* Bytes of a session's name and of its secret. */
#define TOKEN_SIZE 16

/* From the kernel: GLib's generators are not made for secrets. As base64url (RFC 4648, section 5),
 * without padding. */
static char *
new_token (GError **error)
{
  uint8_t bytes[TOKEN_SIZE];
  char *text;

  if (getrandom (bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes)
    {
      g_set_error (error, VT_ERROR, VT_ERROR_FAILED, _ ("No random numbers: %s"),
                   g_strerror (errno));
      return NULL;
    }
  text = g_base64_encode (bytes, sizeof bytes);
  g_strdelimit (text, "+", '-');
  g_strdelimit (text, "/", '_');
  text[strcspn (text, "=")] = '\0';
  return text;
}

GBytes *
vt_greeting_new_hello (const VtControlLimits *limits)
{
  const VtControl hello = {
    .type = VT_CONTROL_HELLO,
    .agent = (char *) "libvtunnel/" VT_VERSION_STRING,
    .limits = *limits,
  };

  return vt_codec_control_encode (&hello);
}

GBytes *
vt_greeting_new_welcome (const VtControlLimits *limits, GError **error)
{
  g_autofree char *session = new_token (error);
  g_autofree char *secret = session != NULL ? new_token (error) : NULL;
  const VtControl welcome = {
    .type = VT_CONTROL_WELCOME,
    .session = session,
    .secret = secret,
    .limits = *limits,
  };

  return secret != NULL ? vt_codec_control_encode (&welcome) : NULL;
}

gboolean
vt_greeting_read (GBytes *message,
                  gboolean text,
                  VtControlType expected,
                  VtControl *greeting,
                  GError **error)
{
  if (text && !vt_codec_control_decode (message, greeting, error))
    return FALSE;
  if (text && greeting->type == expected)
    return TRUE;
  g_set_error_literal (error, VT_ERROR, VT_ERROR_PROTOCOL,
                       "The session does not begin with a greeting");
  return FALSE;
}
