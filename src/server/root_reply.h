#pragma once

#include <optional>

#include "dialect/description/root_reply.h"
#include "server/server_config.h"

namespace modelmill {

/// What GET / answers of a server that goes by another one's name, which has no front page; nullopt for one that goes by
/// ours.
std::optional<description::RootReply> root_reply_of(const ServerConfig& config);

}  // namespace modelmill
