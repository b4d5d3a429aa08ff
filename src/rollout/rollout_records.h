#pragma once

#include <utility>

#include "rollout/rollout_document.h"
#include "rollout/rollout_part.h"
#include "state/kept_documents.h"

namespace modelmill {

/// The rollouts' documents in a store, or in memory where there is none. For one thread at a time.
class RolloutRecords final : public KeptDocuments<RolloutDocument> {
 public:
  explicit RolloutRecords(OpenStore store)
      : KeptDocuments(std::move(store), {"rollouts/", "rollout", rollout_document_text, parse_rollout_document}) {}
};

constexpr const char* kRolloutParts = "rollout-parts/";

/// What processes count of rollouts that others decide for; nothing where there is no store. For one thread at a time.
class RolloutParts final : public KeptDocuments<RolloutPart> {
 public:
  explicit RolloutParts(OpenStore store)
      : KeptDocuments(std::move(store), {kRolloutParts, "part of a rollout", rollout_part_text, parse_rollout_part}) {}
};

}  // namespace modelmill
