"""The German texts about the host and its services, see german.py."""

from __future__ import annotations

HOST: dict[str, str] = {
    # course.py, sections/host.py, sections/host_advice.py
    "day before": "Tag davor",
    "this day": "dieser Tag",
    "CPU": "CPU",
    "Memory": "Speicher",
    "Swap": "Swap",
    "Load per core": "Last pro Kern",
    "Host": "Host",
    "{parts} on average": "im Mittel {parts}",
    "not measured": "nicht gemessen",
    "{text}; up for {time}": "{text}; läuft seit {time}",
    "What used most, on average": "Was im Mittel am meisten brauchte",
    "{what}: on average {mean}, at most {highest}.": "{what}: im Mittel {mean}, höchstens {highest}.",
    "CPU {ratio}": "CPU {ratio}",
    "memory {ratio}": "Speicher {ratio}",
    "load {load} per core": "Last {load} pro Kern",
    "Program": "Programm",
    "CPU (100% is a core)": "CPU (100 % ist ein Kern)",
    "The host was not measured any more when the period ended.": (
        "Am Ende des Zeitraums wurde der Host nicht mehr gemessen."
    ),
    "Booted at {times}.": "Gestartet: {times}.",
    "the disk": "die Platte",
    "memory": "Speicher",
    "Use": "Auslastung",
    "Mean": "Mittel",
    "Highest": "Höchstens",
    "{what} was above {limit} for {time}.": "{what}: über {limit} für {time}.",
    "All work stood still for {what} {ratio} of the time.": (
        "Alles stand still und wartete auf {what}: {ratio} der Zeit."
    ),
    "The kernel killed {number} process for want of memory.": (
        "Der Kernel hat {number} Prozess aus Speichermangel beendet."
    ),
    "The kernel killed {number} processes for want of memory.": (
        "Der Kernel hat {number} Prozesse aus Speichermangel beendet."
    ),
    "{killed} Most is used by {programs}: {hint}.": "{killed} Am meisten brauchen {programs}: {hint}.",
    "unknown programs": "unbekannte Programme",
    "add 2 GB of swap, or memory": "2 GB Swap oder mehr Speicher einrichten",
    "add memory, or switch off the largest": "Speicher erweitern oder das größte abschalten",
    "More than {limit} of the memory was used for {time}, most by {programs}: restart what has grown, or add memory.": (
        "Mehr als {limit} des Speichers waren {time} lang belegt, das meiste von {programs}: neu starten, was "
        "gewachsen ist, oder Speicher erweitern."
    ),
    "The CPU was over {limit} busy for {time}, most by {programs}: see what that does, or take a larger machine.": (
        "Die CPU war {time} lang zu über {limit} ausgelastet, am meisten durch {programs}: nachsehen, was das "
        "tut, oder eine größere Maschine nehmen."
    ),
    "The load was up to {load} per core while the CPU was not busy, so processes wait for the disk: see "
    "which, and move backups and index runs to a quiet hour.": (
        "Die Last lag bei bis zu {load} pro Kern, ohne dass die CPU viel tat: Prozesse warten auf die Platte. "
        "Nachsehen, welche, und Backups und Indexläufe in eine ruhige Stunde legen."
    ),
    "The host was booted at {time}: if nobody did so, see why.": (
        "Der Host wurde {time} gestartet: falls das niemand war, nachsehen, warum."
    ),
    "Up to {ratio} of the memory was used and there is no swap: 2 GB of it help over a peak.": (
        "Bis zu {ratio} des Speichers waren belegt, und es gibt keinen Swap: 2 GB davon helfen über eine Spitze."
    ),
    "Memory in use has grown from {before} to {now} within a week, most is used by {programs}: see whether it"
    " goes on.": (
        "Der belegte Speicher ist in einer Woche von {before} auf {now} gewachsen, am meisten brauchen "
        "{programs}: beobachten, ob das so weitergeht."
    ),
    # sections/filesystems.py
    "{mountpoint} is the fullest: {ratio}": "{mountpoint} ist am vollsten: {ratio}",
    "{free} of {size}": "{free} von {size}",
    "File systems": "Dateisysteme",
    "{number} does not work; {text}": "{number} funktioniert nicht; {text}",
    "{number} do not work; {text}": "{number} funktionieren nicht; {text}",
    "not mounted": "nicht eingehängt",
    "does not answer": "antwortet nicht",
    "read-only": "nur lesbar",
    "in over a year": "in über einem Jahr",
    "in {number} day": "in {number} Tag",
    "in {number} days": "in {number} Tagen",
    "within a day": "innerhalb eines Tages",
    "The fullest file systems": "Die vollsten Dateisysteme",
    "{number} more file system needs attention, see the table.": (
        "{number} weiteres Dateisystem braucht Aufmerksamkeit, siehe Tabelle."
    ),
    "{number} more file systems need attention, see the table.": (
        "{number} weitere Dateisysteme brauchen Aufmerksamkeit, siehe Tabelle."
    ),
    "{mountpoint} is not mounted: mount it before a service writes below it.": (
        "{mountpoint} ist nicht eingehängt: einhängen, bevor ein Dienst darunter schreibt."
    ),
    "{mountpoint} does not answer: see what its disk or its server says.": (
        "{mountpoint} antwortet nicht: nachsehen, was die Platte oder der Server dazu sagt."
    ),
    "{mountpoint} has become read-only, so its disk may be failing: see what the kernel says.": (
        "{mountpoint} ist nur noch lesbar, vielleicht versagt die Platte: nachsehen, was der Kernel sagt."
    ),
    "{mountpoint} is {ratio} full: free {size} to get below {limit}.": (
        "{mountpoint} ist zu {ratio} voll: {size} freimachen, um unter {limit} zu kommen."
    ),
    "{mountpoint} is full {days} at this pace: see what grows.": (
        "{mountpoint} ist bei diesem Tempo {days} voll: nachsehen, was wächst."
    ),
    "{ratio} of the inodes of {mountpoint} are used: find the folder with too many files.": (
        "{ratio} der Inodes von {mountpoint} sind belegt: den Ordner mit zu vielen Dateien suchen."
    ),
    "File system": "Dateisystem",
    "Used": "Belegt",
    "Free": "Frei",
    "Full": "Voll",
    "Inodes used": "Inodes belegt",
    "The file systems were not measured any more when the period ended.": (
        "Am Ende des Zeitraums wurden die Dateisysteme nicht mehr gemessen."
    ),
    "{text}; at its pace {mountpoint} is full {days}": "{text}; bei seinem Tempo ist {mountpoint} {days} voll",
    "{text} At this pace it is full {days}.": "{text} Bei diesem Tempo ist es {days} voll.",
    "{number} more, less full": "{number} weitere, weniger voll",
    # sections/services.py, sections/services_advice.py
    "{number} of {all} was interrupted: {name} was up {ratio} of the time": (
        "{number} von {all} war unterbrochen: {name} war {ratio} der Zeit da"
    ),
    "{number} of {all} were interrupted, worst {name}: up {ratio} of the time": (
        "{number} von {all} waren unterbrochen, am schlimmsten {name}: {ratio} der Zeit da"
    ),
    "Services": "Dienste",
    "{name} is down{reason}": "{name} ist ausgefallen{reason}",
    "{time}, longest {longest}": "{time}, höchstens {longest}",
    "{median}, 95% in {slow}": "{median}, 95\N{NO-BREAK SPACE}% in {slow}",
    "{names} is down, of {all}": "{names} ist ausgefallen, von {all}",
    "{number} of {all} are down: {names}": "{number} von {all} sind ausgefallen: {names}",
    "none is watched": "keiner wird überwacht",
    "the one service was always up": "der eine Dienst war immer da",
    "all {number} were always up": "alle {number} waren immer da",
    "{number} more was always up": "{number} weiterer war immer da",
    "{number} more were always up": "{number} weitere waren immer da",
    "Service": "Dienst",
    "Available": "Verfügbar",
    "Down for": "Ausgefallen",
    "Answers in": "Antwortet in",
    "Measured since {time} only.": "Gemessen erst seit {time}.",
    " and {number} more": " und {number} weitere Male",
    "Prometheus measured nothing at {times}.": "Prometheus hat nichts gemessen: {times}.",
    "The exporter did not answer for {time}.": "Der Exporter antwortete {time} lang nicht.",
    "What counts here is the {ratio} of the time that was measured.": (
        "Hier zählen die {ratio} der Zeit, die gemessen wurden."
    ),
    "Failed units: {names}.": "Fehlgeschlagene Units: {names}.",
    "Units that failed and were started again: {names}.": (
        "Units, die fehlschlugen und wieder gestartet wurden: {names}."
    ),
    "Interrupted for up to {time}: {names}. See what the log says of that time.": (
        "Bis zu {time} unterbrochen: {names}. Nachsehen, was das Log aus dieser Zeit sagt."
    ),
    "{name} answers in {now}, before in {before}: see what its server waits for.": (
        "{name} antwortet in {now}, vorher in {before}: nachsehen, worauf der Server wartet."
    ),
    "{names} has been down since {time}: see why and start it.": (
        "{names} ist seit {time} ausgefallen: nachsehen, warum, und starten."
    ),
    "{names} have been down since {time}: see why and start them.": (
        "{names} sind seit {time} ausgefallen: nachsehen, warum, und starten."
    ),
    "{names} is down: see why and start it.": "{names} ist ausgefallen: nachsehen, warum, und starten.",
    "{names} are down: see why and start them.": "{names} sind ausgefallen: nachsehen, warum, und starten.",
    "{name} was down for {time}: see what the log says of that time.": (
        "{name} war {time} lang ausgefallen: nachsehen, was das Log aus dieser Zeit sagt."
    ),
    "{name} was down {number} times, {time} in all: see what the log says of the longest.": (
        "{name} war {number}-mal ausgefallen, zusammen {time}: nachsehen, was das Log zum längsten Ausfall sagt."
    ),
    "The exporter did not answer for {time}, and nothing was watched: see why.": (
        "Der Exporter antwortete {time} lang nicht, nichts wurde überwacht: nachsehen, warum."
    ),
    "Prometheus measured nothing for {time}: see why it did not run.": (
        "Prometheus hat {time} lang nichts gemessen: nachsehen, warum es nicht lief."
    ),
    "{names} has failed and is not tried again: mend what its log says and start it.": (
        "{names} ist fehlgeschlagen und wird nicht neu versucht: beheben, was das Log sagt, und starten."
    ),
    "{names} have failed and are not tried again: mend what their logs say and start them.": (
        "{names} sind fehlgeschlagen und werden nicht neu versucht: beheben, was die Logs sagen, und starten."
    ),
    # sections/containers.py
    "{running} of {all} run; restarts: {restarts} (day before {day}, week before {week})": (
        "{running} von {all} laufen; Neustarts: {restarts} (Tag davor {day}, Woche davor {week})"
    ),
    "Container": "Container",
    "Restarts": "Neustarts",
    "Killed for memory": "Aus Speichermangel beendet",
    "Containers": "Container",
    "{number} more, of {trouble} there is something to tell": (
        "{number} weitere, zu {trouble} davon gibt es etwas zu sagen"
    ),
    "{number} more is well": "{number} weiterer in Ordnung",
    "{number} more are well": "{number} weitere in Ordnung",
    "Docker does not answer": "Docker antwortet nicht",
    "unknown": "unbekannt",
    "{state} with {code}": "{state} mit {code}",
    "{state}, up to {ratio} of its memory": "{state}, bis zu {ratio} seines Speichers",
    "Memory now": "Speicher jetzt",
    "What used most": "Was am meisten brauchte",
    "Docker does not answer: see why, no container can be started until it does.": (
        "Docker antwortet nicht: nachsehen, warum; bis dahin lässt sich kein Container starten."
    ),
    "{number} more container needs attention, see the table.": (
        "{number} weiterer Container braucht Aufmerksamkeit, siehe Tabelle."
    ),
    "{number} more containers need attention, see the table.": (
        "{number} weitere Container brauchen Aufmerksamkeit, siehe Tabelle."
    ),
    "The image of {number} container is older than its limit, and so are its security updates: pull a newer one.": (
        "Das Image von {number} Container ist älter als sein Grenzwert, und damit seine Sicherheitsupdates: ein "
        "neueres holen."
    ),
    "The images of {number} containers are older than their limit, and so are their security updates: pull "
    "newer ones.": (
        "Die Images von {number} Containern sind älter als ihr Grenzwert, und damit ihre Sicherheitsupdates: "
        "neuere holen."
    ),
    "A process of {name} was killed for want of memory: {hint}.": (
        "Ein Prozess von {name} wurde aus Speichermangel beendet: {hint}."
    ),
    "{number} processes of {name} were killed for want of memory: {hint}.": (
        "{number} Prozesse von {name} wurden aus Speichermangel beendet: {hint}."
    ),
    "{name} was restarted once and does not stay up: see what it says before it ends.": (
        "{name} wurde neu gestartet und bleibt nicht oben: nachsehen, was er sagt, bevor er endet."
    ),
    "{name} was restarted {number} times: see what it says before it ends.": (
        "{name} wurde {number}-mal neu gestartet: nachsehen, was er sagt, bevor er endet."
    ),
    "{name} has stopped with exit code {code}: see why and start it.": (
        "{name} hat mit Exit-Code {code} aufgehört: nachsehen, warum, und starten."
    ),
    "{name} runs, but its own health check fails: see what it says, then restart it.": (
        "{name} läuft, aber seine eigene Prüfung schlägt fehl: nachsehen, was sie sagt, dann neu starten."
    ),
    "{name} used up to {ratio} of its memory limit of {size}: raise it before a process is killed.": (
        "{name} brauchte bis zu {ratio} seiner Speichergrenze von {size}: anheben, bevor ein Prozess beendet wird."
    ),
    "The image of {number} container is older than its limit: {name}, {age}.": (
        "Das Image von {number} Container ist älter als sein Grenzwert: {name}, {age}."
    ),
    "The images of {number} containers are older than their limit, the oldest is that of {name}: {age}.": (
        "Die Images von {number} Containern sind älter als ihr Grenzwert, am ältesten ist das von {name}: {age}."
    ),
    "raise its limit of {size}": "seine Grenze von {size} anheben",
    "see what uses the host's memory": "nachsehen, was den Speicher des Hosts braucht",
    # sections/exporter.py
    "{number} thing needs attention": "{number} Sache braucht Aufmerksamkeit",
    "{number} things need attention": "{number} Sachen brauchen Aufmerksamkeit",
    "Measured once, when the report was made: without a course and without anything to compare with.": (
        "Einmal gemessen, als der Bericht entstand: ohne Verlauf und ohne Vergleich."
    ),
    "What the exporter itself measures": "Was der Exporter selbst misst",
    "{subject}: {detail}": "{subject}: {detail}",
    "Fuller than its limit: {names}.": "Voller als der Grenzwert: {names}.",
    "Does not answer: {names}.": "Antwortet nicht: {names}.",
    "Not ready in time: {names}.": "Nicht rechtzeitig fertig: {names}.",
    "nothing wrong was found": "nichts Auffälliges gefunden",
    "a limit is exceeded": "ein Grenzwert ist überschritten",
    "{part} of {all}": "{part} von {all}",
    "Needs attention": "Braucht Aufmerksamkeit",
    "Ports that answer": "Ports, die antworten",
    "Services that run": "Dienste, die laufen",
    "Subject": "Thema",
    "What is wrong": "Was nicht stimmt",
    "Figure": "Wert",
    "Containers that run": "Container, die laufen",
    "Certificates last for": "Zertifikate gelten noch",
    "Up for": "Läuft seit",
}
