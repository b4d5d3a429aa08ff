#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "state/kept_documents.h"

namespace modelmill {

/// What is kept of a combination's weights.
struct WeightDocument {
  std::map<std::string, double> weights;  // by member; none: those of the configuration
  bool frozen = false;                    // feedback doesn't move them
  uint64_t counted = 0;                   // feedback that has, ever
  std::string changed_at, changed_by;     // by whom they were set, frozen or reset last; empty: nobody

  bool operator==(const WeightDocument&) const = default;
};

/// The JSON document that is kept, with "format": 1, and its reading. FAILED_PRECONDITION for another format, or what
/// this release does not know and would lose by writing.
std::string weight_document_text(const WeightDocument& document);
Result<WeightDocument> parse_weight_document(const std::string& text);

/// The documents in a store, or in memory where there is none. For one thread at a time.
class WeightRecords final : public KeptDocuments<WeightDocument> {
 public:
  explicit WeightRecords(OpenStore store)
      : KeptDocuments(std::move(store),
                      {"ensembles/", "the weights of ensemble", weight_document_text, parse_weight_document}) {}
};

}  // namespace modelmill
