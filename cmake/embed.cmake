# embed(<target> <namespace::variable> <file>): the bytes of a file as a constant of the program,
#   namespace <namespace> { extern const std::string_view <variable>; }
# which whoever uses it declares. A changed file is embedded anew by the next build.
#
# As a script, cmake -P embed.cmake writes SOURCE for FILE and NAME.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  string(REGEX MATCH "^(.*)::([^:]+)$" name "${NAME}")
  set(namespace ${CMAKE_MATCH_1})
  set(variable ${CMAKE_MATCH_2})
  file(READ "${FILE}" bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  file(WRITE "${SOURCE}" "#include <string_view>\n\n"
       "#ifdef __clang__  // whose limit is what every compiler must take, 64 KiB\n"
       "#pragma clang diagnostic ignored \"-Woverlength-strings\"\n#endif\n\n"
       "namespace ${namespace} {\n"
       "extern const std::string_view ${variable};\n"
       "static const char bytes[] = \"${bytes}\";\n"
       "const std::string_view ${variable}(bytes, sizeof bytes - 1);\n"
       "}  // namespace ${namespace}\n")
  return()
endif()

function(embed target name file)
  set(script ${CMAKE_CURRENT_FUNCTION_LIST_FILE})
  get_filename_component(file ${file} ABSOLUTE)
  string(MAKE_C_IDENTIFIER ${name} identifier)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embedded/${identifier}.cpp)
  add_custom_command(OUTPUT ${source} DEPENDS ${file} ${script}
                     COMMAND ${CMAKE_COMMAND} -D NAME=${name} -D FILE=${file} -D SOURCE=${source} -P ${script})
  target_sources(${target} PRIVATE ${source})
endfunction()
