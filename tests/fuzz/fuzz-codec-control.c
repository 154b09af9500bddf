/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-codec-control-fields-private.h"
#include "vt-error.h"

/* Control messages of protocol v2: what is read, written and read again is the same. */

static void
expect_equal_names (char *const *a, char *const *b)
{
  g_assert_true ((a == NULL) == (b == NULL));
  g_assert_true (a == NULL || g_strv_equal ((const char *const *) a, (const char *const *) b));
}

static void
expect_equal_member (const VtControlField *field, const void *a, const void *b)
{
  if (field->form == VT_FORM_TEXT)
    g_assert_cmpstr (*(char *const *) a, ==, *(char *const *) b);
  else if (field->form == VT_FORM_NAMES)
    expect_equal_names (*(char *const *const *) a, *(char *const *const *) b);
  else
    g_assert_cmpmem (a, field->size, b, field->size);
}

static void
check_text (const VtControlField *field, const char *text)
{
  g_assert_true (text == NULL
                 || (strlen (text) <= (size_t) field->max && g_utf8_validate (text, -1, NULL)));
}

static void
check (const VtControl *control)
{
  g_auto(VtControl) again = { 0 };
  g_autoptr(GBytes) first = vt_codec_control_encode (control);
  g_autoptr(GBytes) second = NULL;

  g_assert_true (vt_codec_control_decode (first, VT_JSON_MAX_DEPTH, &again, NULL));
  g_assert_cmpint (control->type, ==, again.type);
  for (unsigned int i = 0; i < VT_CONTROL_N_FIELDS; i++)
    {
      const VtControlField *field = &vt_control_fields[i];
      const void *member = G_STRUCT_MEMBER_P (control, field->offset);

      if (field->form == VT_FORM_TEXT)
        check_text (field, *(char *const *) member);
      expect_equal_member (field, member, G_STRUCT_MEMBER_P (&again, field->offset));
    }
  second = vt_codec_control_encode (&again);
  g_assert_true (g_bytes_equal (first, second));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr(GBytes) message = g_bytes_new (data, size);
  g_auto(VtControl) control = { 0 };
  g_autoptr(GError) error = NULL;

  if (!vt_codec_control_decode (message, VT_JSON_MAX_DEPTH, &control, &error))
    g_assert_error (error, VT_ERROR, VT_ERROR_PROTOCOL);
  else if (control.type != VT_CONTROL_UNKNOWN && control.kind != VT_CONTROL_KIND_UNKNOWN)
    check (&control);
  return 0;
}
