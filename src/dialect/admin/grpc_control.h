#pragma once

#include <vector>

#include "dialect/admin/action.h"
#include "wire/grpc.h"

namespace modelmill::admin {

/// An action, and the gRPC method that does it.
struct ActionMethod {
  const Action* action;
  std::string method;  // "/modelmill.admin.v1.Routes/GetRoute"
};

/// Adds the services of modelmill_admin.proto: a method for each of the actions(), which is what is returned. What
/// `controls` lead to must outlive the wire.
std::vector<ActionMethod> add_control(wire::GrpcMethods& methods, const Controls& controls);

}  // namespace modelmill::admin
