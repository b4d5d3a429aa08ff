#pragma once

#include <utility>

#include "rollout/rollout_document.h"
#include "state/kept_documents.h"

namespace modelmill {

/// The rollouts' documents in a store, or in memory where there is none. For one thread at a time.
class RolloutRecords final : public KeptDocuments<RolloutDocument> {
 public:
  explicit RolloutRecords(OpenStore store)
      : KeptDocuments(std::move(store), {"rollouts/", "rollout", rollout_document_text, parse_rollout_document}) {}
};

}  // namespace modelmill
