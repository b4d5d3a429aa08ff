// The forms that TorchServe's clients send: what is read can be written, and reads back the same.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "dialect/torchserve/form_fields.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

using torchserve::Field;
using torchserve::Fields;

void check_written(const Fields& fields) {
  std::string type;
  const Bytes body = torchserve::write_form(fields, type);
  const auto again = torchserve::read_form(body, type);
  MM_CHECK(again.ok() && again->size() == fields.size(), "a form that was written must read back");
  for (size_t i = 0; i < fields.size(); ++i) {
    MM_CHECK((*again)[i].value.view() == fields[i].value.view(), "a value must read back as it was");
    if (fields[i].name.find_first_of("\r\n") == std::string::npos)
      MM_CHECK((*again)[i].name == fields[i].name, "a name must read back as it was");
  }
}

}  // namespace

/// The first line is the Content-Type.
void torchserve_form(std::string_view bytes) {
  const size_t line = std::min(bytes.find('\n'), bytes.size());
  const Bytes body = Bytes::copy_of(bytes.substr(std::min(line + 1, bytes.size())));
  const auto fields = torchserve::read_form(body, bytes.substr(0, line));
  if (!fields.ok()) return;
  for (const Field& field : *fields) MM_CHECK(field.value.size() <= body.size(), "no value is longer than its form");
  check_written(*fields);
}

}  // namespace modelmill::fuzz
