#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "base/result.h"

namespace modelmill::admin {

/// The JSON document of a message of modelmill_admin.proto: what HTTP takes.
Result<std::string> json_of(const google::protobuf::Message& message);

/// Reads a document that HTTP would answer. What the message has no field for is passed over: documents of the past,
/// which histories have, may say more. INTERNAL for one that is no such document.
Status read_document(const std::string& json, google::protobuf::Message& into);

}  // namespace modelmill::admin
