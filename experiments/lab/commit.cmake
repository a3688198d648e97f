# Writes FILE, a header that tells the commit of SOURCE. Run at every build, so that it is right after a commit as well.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git describe --always --dirty=+ --exclude=* --abbrev=12 WORKING_DIRECTORY ${SOURCE}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "")
endif()
file(CONFIGURE OUTPUT ${FILE} CONTENT "#define ELK_COMMIT \"@commit@\"\n" @ONLY)
