#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/grpc.h"

namespace modelmill::description {

/// The .proto files of the server's gRPC services and all that they import, but for those that come with protobuf;
/// sorted.
std::vector<std::string> proto_files(const wire::GrpcMethods& methods);
/// The text of one of them, as protoc takes it; nullopt for any other.
std::optional<std::string> proto_text(const wire::GrpcMethods& methods, std::string_view file);

}  // namespace modelmill::description
