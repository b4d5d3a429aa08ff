#pragma once

#include <string>

#include "base/percent_text.h"
#include "dialect/torchserve/form_fields.h"
#include "dialect/torchserve/sequence_names.h"

namespace modelmill::torchserve {

/// Where in its sequence a request stands, as its input says: the marks of "true".
struct SequenceMarks {
  bool start = false;
  bool end = false;
};
SequenceMarks sequence_marks(const Fields& fields, const SequenceNames& names);
/// The fields but for those two.
Fields without_marks(const Fields& fields, const SequenceNames& names);

/// What a handler finds in its headers: the id, and the marks that are set.
NamedTexts sequence_headers(const std::string& id, const SequenceMarks& marks, const SequenceNames& names);

/// Of a sequence that a request begins without naming it: "ts-seq-" and a UUID.
std::string new_sequence_id();

}  // namespace modelmill::torchserve
