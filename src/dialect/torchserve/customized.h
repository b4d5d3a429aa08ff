#pragma once

#include <memory>

#include "base/percent_text.h"
#include "dialect/torchserve/management.h"
#include "dialect/torchserve/rest_infer.h"
#include "serve/inference.h"

namespace modelmill::torchserve {

/// Describes a version whose handler has something to add: the handler is asked as for an inference, with the header
/// `describe`, and what it says, if that is a JSON object, is `customizedMetadata` of the description. `done` gets the
/// JSON, or what went wrong, on any thread. `headers` are the request's own. Both references must outlive the request.
void describe_customized(Inference& inference, const Management& management, VersionPin pin, const InferPath& asked,
                         NamedTexts headers, std::shared_ptr<CancelToken> cancel, Management::Done done);

}  // namespace modelmill::torchserve
