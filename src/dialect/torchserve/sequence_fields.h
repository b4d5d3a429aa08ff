#pragma once

#include <string>

#include "base/percent_text.h"
#include "dialect/torchserve/form_fields.h"

namespace modelmill::torchserve {

/// Where in its sequence a request stands, as its input says: "ts_request_sequence_start" and "ts_request_sequence_end"
/// of "true".
struct SequenceMarks {
  bool start = false;
  bool end = false;
};
SequenceMarks sequence_marks(const Fields& fields);
/// The fields but for those two.
Fields without_marks(const Fields& fields);

/// What a handler finds in its headers: "ts_request_sequence_id", and the marks that are set.
NamedTexts sequence_headers(const std::string& id, const SequenceMarks& marks);

/// Of a sequence that a request begins without naming it: "ts-seq-" and a UUID.
std::string new_sequence_id();

}  // namespace modelmill::torchserve
