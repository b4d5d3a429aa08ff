#pragma once

#include <boost/container/small_vector.hpp>
#include <string_view>

#include "catalog/catalog.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::kserve_v2 {

/// What a client asked to have back; empty: everything. Kept by the dialect, since the request moves on.
using RequestedOutputs = boost::container::small_vector<RequestedOutput, 2>;

/// Makes a model's response what the client asked for: outputs not named are dropped, and those to be classified become
/// strings, with the labels of the version that served. An empty `requested` leaves all as it is.
Status select_outputs(const Catalog& catalog, std::string_view model, const RequestedOutputs& requested,
                      InferResponse& response);

}  // namespace modelmill::kserve_v2
