# usage: sh -c <this> watchdog FOLDER MARK
#
# Waits for the end of its input, which comes when the test process ends or drops its folder. Then ends what was
# started from the folder and removes it. Input lines: "+ GROUP" and "- GROUP", process groups to end by number.
#
# Processes are found by MARK, an environment variable that children inherit however they detach themselves.
trap '' HUP INT QUIT TERM
folder=$1 mark=$2 groups=

while read -r sign group; do
    case $sign in
        +) groups="$groups $group " ;;
        -) case $groups in *" $group "*) groups="${groups%%" $group "*}${groups#*" $group "}" ;; esac ;;
    esac
done

for group in $groups; do
    # PostgreSQL's children lead groups of their own and write over their marks: their parent gives them away. Stopped,
    # it starts no other meanwhile.
    kill -s STOP "$group"
    grep -lsx "PPid:[[:space:]]*$group" /proc/[0-9]*/status | while read -r status; do
        pid=${status#/proc/}
        kill -s KILL "${pid%/status}"
    done
    kill -s KILL -- "-$group"
done

# Again and again, for what was just being forked; not for ever, for what the kernel itself holds.
rounds=200
while [ "$rounds" -gt 0 ]; do
    marked=$(grep -lzxFs -- "$mark" /proc/[0-9]*/environ)
    [ -n "$marked" ] || break
    for environ in $marked; do
        pid=${environ#/proc/}
        kill -s KILL "${pid%/environ}"
    done
    rounds=$((rounds - 1))
    sleep 0.05
done

# A killed PostgreSQL leaves the lock on its data in the kernel; the seventh line of this file ends with its number.
lock=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid")
[ -z "$lock" ] || ipcrm -m "$lock"

rm -rf -- "$folder"
